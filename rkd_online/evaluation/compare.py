"""Two models on the same prompts."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rkd_online.errors import RecordError
from rkd_online.evaluation.bootstrap import estimate
from rkd_online.evaluation.comparison import Comparison, Differences, Paired
from rkd_online.evaluation.measure import per_answer
from rkd_online.evaluation.measurement import Estimate
from rkd_online.evaluation.passk import distinct_at_k, pass_at_k, reported_ks
from rkd_online.evaluation.record import Evaluation
from rkd_online.evaluation.tally import Tally
from rkd_online.spec.decoding import Decoding

Values: TypeAlias = Callable[[Tally], NDArray[np.float64]]


def compare(first: Evaluation, second: Evaluation) -> Comparison:
    """The second less the first, prompt by prompt, by every decoding that both have.

    Raises RecordError, naming the difference, where prompts differ or no decoding is common.
    """
    _check_same_prompts(first, second)
    common = [decoding for decoding in first.decodings if decoding in second.decodings]
    if not common:
        raise RecordError(
            f"{first.model} was asked by {', '.join(first.decodings)} and {second.model} by "
            f"{', '.join(second.decodings)}: measure both by a decoding in common"
        )
    return Comparison(
        first=first.model,
        second=second.model,
        prompts=len(first.prompts),
        asked_otherwise=dict(_asked_otherwise(first, second)),
        decodings={decoding: _differences(first, second, decoding) for decoding in common},
    )


def paired_gain(first: Evaluation, second: Evaluation, decoding: Decoding) -> Estimate:
    """pass@1 of the second less that of the first, by prompt."""
    _check_same_prompts(first, second)
    return _paired(*map(_passes(1), _tallies(first, second, decoding))).difference


def _check_same_prompts(first: Evaluation, second: Evaluation) -> None:
    if first.prompts == second.prompts:
        return
    for one, other in ((first, second), (second, first)):
        alone = [prompt for prompt in one.prompts if prompt not in set(other.prompts)]
        if alone:
            raise RecordError(
                f"{first.model} was asked {len(first.prompts)} prompts and {second.model} "
                f"{len(second.prompts)}, not the same: {other.model} has no {alone[0]}, which "
                f"{one.model} has (one of {len(alone)}); measure both on the same task, split and "
                "number of prompts"
            )
    raise RecordError(f"{first.model} and {second.model} were asked in another order")


def _asked_otherwise(
    first: Evaluation, second: Evaluation
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Settings beside the prompts that can make a difference; seeds alone are chance."""
    ours, theirs = (one.asked.model_dump(mode="json", exclude={"seed"}) for one in (first, second))
    for setting, value in ours.items():
        if value != theirs[setting]:
            yield setting, (str(value), str(theirs[setting]))


def _tallies(first: Evaluation, second: Evaluation, decoding: Decoding) -> tuple[Tally, Tally]:
    return first.decodings[decoding].tally, second.decodings[decoding].tally


def _differences(first: Evaluation, second: Evaluation, decoding: Decoding) -> Differences:
    """What needs several answers is compared at every k that both models allow."""
    tallies = _tallies(first, second, decoding)
    ks = reported_ks(min(tally.samples for tally in tallies))
    passes = [_passes(1)(tally) for tally in tallies]

    def paired(values: Values) -> Paired:
        return _paired(*map(values, tallies))

    def grouped(names: Sequence[str]) -> dict[str, Paired]:
        groups = np.array(names)
        return {
            str(name): _paired(*(values[groups == name] for values in passes))
            for name in np.unique(groups)
        }

    return Differences(
        pass_at_k={k: paired(_passes(k)) for k in ks},
        by_task=grouped(first.tasks),
        by_difficulty=grouped(first.difficulties),
        distinct_correct={k: paired(_distinct(k)) for k in ks},
        tokens=paired(_mean("tokens")),
        truncated_share=paired(_mean("truncated")),
        answered_share=paired(_mean("answered")),
    )


def _passes(k: int) -> Values:
    return lambda tally: pass_at_k(np.array(tally.correct), tally.samples, k)


def _distinct(k: int) -> Values:
    return lambda tally: distinct_at_k(tally.solutions, tally.samples, k)


def _mean(column: str) -> Values:
    return lambda tally: per_answer(getattr(tally, column), tally.samples)


def _paired(first: NDArray[np.float64], second: NDArray[np.float64]) -> Paired:
    return Paired(
        first=float(first.mean()),
        second=float(second.mean()),
        difference=estimate(second - first),
    )
