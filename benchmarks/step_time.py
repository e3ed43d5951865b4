"""The time of a GRPO step: ours, pipelined and synchronous, against TRL's GRPOTrainer.

Of a case each side first tries its grid of settings; then the best of each are timed in turn.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

from benchmarks import our_step, step_page, trl_runs
from benchmarks.progress import Progress
from benchmarks.results import Result, result
from benchmarks.step_cases import CASES, ROUNDS, Case, JobTimes, StepTimes, together
from benchmarks.step_page import PIPELINED, SIDES, SYNCHRONOUS, TRL, Measured, Tried


@dataclass(frozen=True, slots=True)
class Contender:
    """A side at one setting: its words, and what times it with so many warm-up and timed steps."""

    words: str
    run: Callable[[int, int], StepTimes]


def measure(name: str) -> Result:
    """Measure one of the cases."""
    case = CASES[name]
    found = _measure_case(case, Progress(_runs(case)))
    return result(
        case.benchmark,
        f"A GRPO step against TRL's GRPOTrainer: {case.words}",
        step_page.rows(found),
        notes=step_page.notes(found),
    )


def contenders(case: Case) -> dict[str, list[Contender]]:
    """The grid of each side."""
    ours = {
        SYNCHRONOUS: our_step.synchronous_grid(case),
        PIPELINED: our_step.pipelined_grid(case),
    }
    trl = [
        Contender(trl_runs.words(setting, case), partial(trl_runs.time_trl, case, setting))
        for setting in trl_runs.grid(case)
    ]
    return {TRL: trl} | {
        side: [Contender(one.words, partial(our_step.time_ours, case, one)) for one in settings]
        for side, settings in ours.items()
    }


def best(tried: Sequence[tuple[Contender, StepTimes | str]]) -> Contender:
    """The fastest of those that work, by their median steps: a disturbed step chooses nothing."""
    speeds = [
        (one.median_rollouts_per_second, who) for who, one in tried if not isinstance(one, str)
    ]
    return max(speeds, key=lambda pair: pair[0])[1]


def _runs(case: Case) -> int:
    return sum(map(len, contenders(case).values())) + ROUNDS * len(SIDES)


def _measure_case(case: Case, progress: Progress) -> Measured:
    chosen, grids = {}, {}
    for side, settings in contenders(case).items():
        with _service(side):
            tried = [(one, _try(case, side, one, progress)) for one in settings]
        chosen[side] = best(tried)
        grids[side] = [Tried(one.words, found) for one, found in tried]
    parts: dict[str, list[StepTimes]] = {side: [] for side in SIDES}
    for _ in range(ROUNDS):
        for side, one in chosen.items():
            progress.next(f"{case.name}: {side}, {one.words}")
            with _service(side):
                parts[side].append(one.run(case.warmup, case.steps))
            progress.say(_speed(parts[side][-1]))
    times = {side: together(of_side) for side, of_side in parts.items()}
    _check_lengths(case, times)
    jobs = {
        side: last for side, of_side in parts.items() if isinstance(last := of_side[-1], JobTimes)
    }
    return Measured(case, times, grids, jobs)


def _service(side: str) -> AbstractContextManager[None]:
    return nullcontext() if side == TRL else our_step.our_service()


def _try(case: Case, side: str, one: Contender, progress: Progress) -> StepTimes | str:
    """A setting of TRL's that gives no times is part of the result; ours must all work."""
    progress.next(f"{case.name}: trying {side}, {one.words}")
    try:
        found = one.run(case.tried_warmup, case.tried)
    except trl_runs.TrlError as error:
        progress.say(str(error))
        return str(error)
    progress.say(_speed(found))
    return found


def _speed(found: StepTimes) -> str:
    return (
        f"{found.rollouts_per_second:,.4g} rollouts/s, {found.tokens_per_second:,.4g} tokens/s, "
        f"{found.tokens_per_rollout:.1f} tokens per rollout"
    )


def _check_lengths(case: Case, times: dict[str, StepTimes]) -> None:
    """A model of random weights never ends by itself: both sides sampled every token."""
    for side, found in times.items():
        if not case.bundled and found.tokens_per_rollout != case.max_new_tokens:
            raise ValueError(
                f"{case.name}: {side} sampled {found.tokens_per_rollout} tokens per rollout, "
                f"{case.max_new_tokens} were asked for"
            )
