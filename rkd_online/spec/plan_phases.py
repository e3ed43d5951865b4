"""The part of a plan that says by what a job learns in turn, and when it ends."""

from typing import assert_never

from rkd_online.spec.early_stop import EarlyStop, NeverStop, ReachedStop, goal
from rkd_online.spec.phases import JobEnd, Phase, PhaseEnd, StepEnd
from rkd_online.spec.plateau import PlateauEnd


def phase_words(phase: Phase) -> str:
    """A phase, with what moves in it."""
    moves = [
        f", {name} from {getattr(phase.algorithm, name):g} to {one.to:g} in {one.steps} steps"
        for name, one in phase.anneal.items()
    ]
    rate = phase.learning_rate_factor
    faster = f", learning rate times {rate:g}" if rate != 1 else ""
    return f"{phase.algorithm.type}{''.join(moves)}{faster} {_phase_end(phase.until)}"


def _phase_end(end: PhaseEnd) -> str:
    match end:
        case JobEnd():
            return "until the job ends"
        case StepEnd():
            return f"until step {end.step}"
        case PlateauEnd():
            return f"until {_no_better(end)}"
        case _:
            assert_never(end)


def early_stop_words(stop: EarlyStop) -> list[str]:
    """What ends the job before its steps; nothing where it does them all."""
    match stop:
        case NeverStop():
            return []
        case PlateauEnd():
            return [f"when {_no_better(stop)}"]
        case ReachedStop():
            return [f"when {stop.metric} is {goal(stop)}"]
        case _:
            assert_never(stop)


def _no_better(end: PlateauEnd) -> str:
    return f"{end.metric} gets no better in {end.patience} values"
