"""The job: everything that a user asks for, in one validated record."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveInt, StringConstraints, model_validator

from rkd_online.spec.algorithm import (
    Algorithm,
    divergence_of,
)
from rkd_online.spec.base import SpecModel
from rkd_online.spec.consistency import inconsistency
from rkd_online.spec.divergence import Divergence
from rkd_online.spec.early_stop import EarlyStop, NeverStop
from rkd_online.spec.mixture import (
    AnyTask,
    Course,
    MixtureTask,
    Part,
    courses_of,
    parts_of,
)
from rkd_online.spec.phases import Phase
from rkd_online.spec.precision import PrecisionSpec
from rkd_online.spec.preset import KEY as PRESET
from rkd_online.spec.preset import with_preset
from rkd_online.spec.resources import PolicySpec, Resources, Seed, TeacherSpec
from rkd_online.spec.task import (
    ChatPrompt,
    JudgingSpec,
    Prompt,
    Reward,
    VerifierReward,
)
from rkd_online.spec.trackers import Tracker
from rkd_online.spec.training import CheckpointSpec, EvaluationSpec, OptimizerSpec, RolloutSpec

JobName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]


class JobSpec(SpecModel):
    """One distillation job."""

    version: Literal[1]
    """Version of this format."""
    name: JobName
    """Lower-case letters, digits and dashes, 40 at most."""
    policy: PolicySpec
    """The model that is trained."""
    teacher: TeacherSpec | None = None
    """The model that guides it; needed by every algorithm that uses a teacher."""
    task: AnyTask
    """Where prompts and reference answers come from."""
    prompt: Prompt = ChatPrompt()
    """How a problem becomes a prompt."""
    rewards: Annotated[tuple[Reward, ...], Field(min_length=1)] = (VerifierReward(),)
    """Parts of the reward; their weighted sum is what the policy maximizes."""
    correct_at: Annotated[float, Field(gt=0, le=1)] = 1.0
    """A rollout is correct when the part that is the verdict is at least this."""
    judging: JudgingSpec = JudgingSpec()
    """Limits of what could hang or crash while it judges."""
    algorithm: Algorithm | None = None
    """The objective of the update, one for the whole job."""
    phases: tuple[Phase, ...] = ()
    """In place of ``algorithm``: several in turn, or one whose coefficients move."""
    rollout: RolloutSpec = RolloutSpec()
    """What is sampled for each step."""
    optimizer: OptimizerSpec = OptimizerSpec()
    """How weights are updated."""
    steps: PositiveInt
    """Steps of the whole job."""
    early_stop: EarlyStop = NeverStop()
    """What ends the job before its steps."""
    evaluation: EvaluationSpec = EvaluationSpec()
    """How the result is measured."""
    checkpoint: CheckpointSpec = CheckpointSpec()
    """Which checkpoints are written and kept."""
    trackers: tuple[Tracker, ...] = ()
    """Experiment trackers that get the metrics too, each type once."""
    resources: Resources = Resources()
    """What each role runs on."""
    precision: PrecisionSpec = PrecisionSpec()
    """The number format of each role."""
    seed: Seed = 0
    """Seed of sampling and prompt order; the same spec and seed give the same run."""

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, data: Any) -> Any:
        return with_preset(data) if isinstance(data, Mapping) and PRESET in data else data

    @property
    def phases_in_turn(self) -> tuple[Phase, ...]:
        """The phases of the job; of one with a single algorithm the one that lasts as long."""
        return self.phases if self.algorithm is None else (Phase(algorithm=self.algorithm),)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The tasks of the job with what holds for each; one where it has no mixture."""
        return parts_of(self.task, self.rewards, self.teacher)

    @property
    def courses(self) -> tuple[Course, ...]:
        """The teachers of the job, each with its parts; one without a teacher where it has none."""
        return courses_of(self.parts, self.teacher)

    @property
    def teachers(self) -> dict[str, TeacherSpec]:
        """Every teacher of the job once, by the field that names it first."""
        return {one.field: one.teacher for one in self.courses if one.teacher is not None}

    @property
    def mixed(self) -> bool:
        """Whether the task is a mixture, whose prompts carry the names of its parts."""
        return isinstance(self.task, MixtureTask)

    def part(self, task: str) -> Part:
        """The part whose prompts carry this name of a task."""
        return next(part for part in self.parts if not self.mixed or part.name == task)

    def reward_lists(self) -> dict[str, tuple[Reward, ...]]:
        """The rewards of the job, and those that parts of its task have of their own, by field."""
        parts = self.task.parts if isinstance(self.task, MixtureTask) else ()
        own = {f"task.parts.{n}.rewards": one.rewards for n, one in enumerate(parts) if one.rewards}
        return {"rewards": self.rewards} | own

    @property
    def candidates(self) -> int:
        """How many of the teacher's most probable tokens the job asks for at each sampled one."""
        return max((one.k for one in self.divergences().values()), default=0)

    def divergences(self) -> dict[str, Divergence]:
        """Every divergence of the job by its field."""
        found = {
            f"{field}.teacher_divergence": divergence_of(algorithm)
            for field, algorithm in self.algorithms.items()
        }
        return {field: one for field, one in found.items() if isinstance(one, Divergence)}

    @property
    def algorithms(self) -> dict[str, Algorithm]:
        """Every algorithm of the job by its field."""
        if self.algorithm is not None:
            return {"algorithm": self.algorithm}
        return {f"phases.{place}.algorithm": one.algorithm for place, one in enumerate(self.phases)}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problem = inconsistency(self)
        if problem is not None:
            raise ValueError(problem)
        return self
