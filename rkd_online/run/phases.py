"""Which phase a step belongs to, and what it learns by.

The place in the phases is a function of the values that each step reported: a resumed run, which
has them from its checkpoint, takes the turns that the first one took.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rkd_online.spec.algorithm import Algorithm, is_reward_driven, needs_teacher
from rkd_online.spec.job import JobSpec
from rkd_online.spec.phases import Phase, StepEnd
from rkd_online.spec.plateau import PlateauEnd, plateau_reason, plateaued
from rkd_online.types import PhasePlace, Turn


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What one step learns by. ``moving`` are the values of its coefficients that are annealed or
    were changed, ``flat_groups`` how many groups without signal may be dropped for it."""

    turn: Turn
    algorithm: Algorithm
    moving: dict[str, float]
    flat_groups: int

    def metrics(self) -> dict[str, float]:
        """The phase and its moving coefficients, for the step's report."""
        values = {f"phase/{name}": value for name, value in self.moving.items()}
        return {"phase/index": float(self.turn.phase)} | values


@dataclass(frozen=True, slots=True)
class PhaseSwitch:
    """The first step of a phase, the algorithm before and after, and why."""

    step: int
    phase: int
    before: str
    after: str
    reason: str

    def event(self) -> dict[str, object]:
        """As the job's records have it."""
        return {
            "step": self.step,
            "phase": self.phase,
            "before": self.before,
            "after": self.after,
            "reason": self.reason,
        }


class Phases:
    """The phases of a job, step by step."""

    def __init__(self, spec: JobSpec, place: PhasePlace) -> None:
        self._phases = spec.phases_in_turn
        self._rollout = spec.rollout
        self._place = place
        self._shown: tuple[str, ...] = ()

    def show(self, coefficients: Iterable[str]) -> None:
        """Report these too, in the steps whose algorithm has them."""
        self._shown = tuple(coefficients)

    def change(self, spec: JobSpec) -> None:
        """Go on by the algorithms of a changed job, whose phases are the same ones."""
        self._phases = spec.phases_in_turn

    @property
    def place(self) -> PhasePlace:
        """Where a run would go on."""
        return self._place

    def needs_teacher(self, step: int) -> bool:
        """Whether step ``step`` or one after it asks for the teacher's log-probs, as far as is
        known when its groups are asked for: before the step before it has reported. So the first
        step behind a plateau is scored as the ones before it, in a resumed run too."""
        first = self._place.index
        if step == self._place.first_step and first > 0:
            first -= 1
        while isinstance(end := self._phases[first].until, StepEnd) and step > end.step:
            first += 1
        return any(needs_teacher(one.algorithm) for one in self._phases[first:])

    def plan(self, step: int) -> StepPlan:
        """What step ``step``, the next to be done, learns by."""
        turn = Turn(self._place.index, step - self._place.first_step)
        algorithm = self._phase.algorithm_after(turn.done)
        names = (*self._phase.anneal, *self._shown)
        moving = {name: getattr(algorithm, name) for name in names if hasattr(algorithm, name)}
        return StepPlan(turn, algorithm, moving, self._flat_groups(algorithm))

    def done(self, step: int, metrics: dict[str, float]) -> PhaseSwitch | None:
        """Learn what a step reported; the switch, where the next one is another phase's.

        A phase whose last step has passed by the time that the one before ends is passed over.
        """
        before = self._phase
        if isinstance(before.until, PlateauEnd) and before.until.metric in metrics:
            values = (*self._place.values, metrics[before.until.metric])
            self._place = replace(self._place, values=values)
        reason = self._ended(step)
        if reason is None:
            return None
        while self._ended(step) is not None:
            self._place = PhasePlace(self._place.index + 1, step + 1, ())
        return PhaseSwitch(
            step + 1, self._place.index, before.algorithm.type, self._phase.algorithm.type, reason
        )

    def _flat_groups(self, algorithm: Algorithm) -> int:
        resampling = self._rollout.dynamic_sampling
        if resampling.type == "off" or not is_reward_driven(algorithm):
            return 0
        return int(resampling.most * self._rollout.prompts_per_step)

    @property
    def _phase(self) -> Phase:
        return self._phases[self._place.index]

    def _ended(self, step: int) -> str | None:
        """Why the present phase ends with ``step``; None where it goes on."""
        end = self._phase.until
        if isinstance(end, StepEnd) and step >= end.step:
            return f"step {end.step} was its last"
        if isinstance(end, PlateauEnd) and plateaued(end, self._place.values):
            return plateau_reason(end)
        return None
