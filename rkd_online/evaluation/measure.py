"""From the counts of one model's answers to its measurement."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rkd_online.evaluation.bootstrap import estimate
from rkd_online.evaluation.measurement import Estimate, Lengths, Measurement
from rkd_online.evaluation.passk import distinct_at_k, pass_at_k, reported_ks
from rkd_online.evaluation.tally import Tally


def measure(
    tally: Tally,
    tasks: Sequence[str],
    difficulties: Sequence[str],
    lengths: Sequence[int],
    *,
    seconds: float,
) -> Measurement:
    """One model by one decoding. ``tasks`` [prompts] and ``difficulties`` [prompts] are the groups
    of the prompts, ``lengths`` the completion tokens of each answer, ``seconds`` the time of the
    sampling."""
    ks, samples = reported_ks(tally.samples), tally.samples
    passes = {k: pass_at_k(np.array(tally.correct), samples, k) for k in ks}
    return Measurement(
        samples=samples,
        pass_at_k={k: estimate(values) for k, values in passes.items()},
        by_task=dict(_by_group(passes, tasks)),
        by_difficulty=dict(_by_group(passes, difficulties)),
        distinct_correct={k: estimate(distinct_at_k(tally.solutions, samples, k)) for k in ks},
        tokens=_lengths(tally, lengths),
        truncated_share=_estimate(tally.truncated, samples),
        answered_share=_estimate(tally.answered, samples),
        reward_parts={
            name: _estimate([one for one in sums if one is not None], samples)
            for name, sums in tally.reward_parts.items()
        },
        unjudged=sum(tally.unjudged),
        answers_per_second=len(lengths) / seconds,
    )


def per_answer(sums: Sequence[float], samples: int) -> NDArray[np.float64]:
    """[prompts] means over ``samples`` answers each, of sums by prompt."""
    means: NDArray[np.float64] = np.array(sums, dtype=np.float64) / samples
    return means


def _estimate(sums: Sequence[float], samples: int) -> Estimate:
    return estimate(per_answer(sums, samples))


def _by_group(
    passes: Mapping[int, NDArray[np.float64]], groups: Sequence[str]
) -> Iterator[tuple[str, dict[int, Estimate]]]:
    """Groups in alphabetical order."""
    for name in sorted(set(groups)):
        own = np.array(groups) == name
        yield name, {k: estimate(values[own]) for k, values in passes.items()}


def _lengths(tally: Tally, lengths: Sequence[int]) -> Lengths:
    p10, median, p90 = np.quantile(lengths, (0.1, 0.5, 0.9))
    return Lengths(
        mean=_estimate(tally.tokens, tally.samples),
        p10=float(p10),
        median=float(median),
        p90=float(p90),
        longest=max(lengths),
    )
