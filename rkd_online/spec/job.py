"""The job: everything that a user asks for, in one validated record."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveInt, StringConstraints, model_validator

from rkd_online.spec.algorithm import (
    REWARD_DRIVEN,
    TEACHER_METHODS,
    Algorithm,
    Sft,
    divergence_of,
    is_reward_driven,
)
from rkd_online.spec.base import SpecModel
from rkd_online.spec.devices import device_problem
from rkd_online.spec.divergence import Divergence, TeacherDivergence
from rkd_online.spec.early_stop import EarlyStop, NeverStop, early_stop_problem
from rkd_online.spec.mixture import (
    AnyTask,
    Course,
    MixtureTask,
    Part,
    courses_of,
    mixture_problem,
    parts_of,
    teacher_problem,
)
from rkd_online.spec.offline import offline_problem
from rkd_online.spec.phases import Phase, phase_problem
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
    verdicts,
)
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
            for field, algorithm in self._algorithms().items()
        }
        return {field: one for field, one in found.items() if isinstance(one, Divergence)}

    def _algorithms(self) -> dict[str, Algorithm]:
        """Every algorithm of the job by its field."""
        if self.algorithm is not None:
            return {"algorithm": self.algorithm}
        return {f"phases.{place}.algorithm": one.algorithm for place, one in enumerate(self.phases)}

    @model_validator(mode="after")
    def _algorithm_or_phases(self) -> Self:
        if (self.algorithm is None) is not bool(self.phases):
            found = "neither" if self.algorithm is None else "both"
            raise ValueError(f"a job takes one of algorithm and phases, found {found}")
        return self

    @model_validator(mode="after")
    def _source_fits_algorithm(self) -> Self:
        problem = offline_problem(
            self._algorithms(),
            self.rollout,
            best_metric=self.checkpoint.best_metric,
            teacher=bool(self.teachers),
        )
        if problem is not None:
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _phases_can_end(self) -> Self:
        problem = phase_problem(
            self.phases,
            steps=self.steps,
            validation_every=self.evaluation.every,
            teacher=bool(self.teachers),
        )
        if problem is not None:
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _early_stop_can_come(self) -> Self:
        problem = early_stop_problem(
            self.early_stop,
            self.phases_in_turn,
            steps=self.steps,
            validation_every=self.evaluation.every,
            teacher=bool(self.teachers),
            stored=self.rollout.source.type == "store",
        )
        if problem is not None:
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _teacher_fits_algorithm(self) -> Self:
        for field, algorithm in self._algorithms().items():
            wanting: dict[str, Algorithm | TeacherDivergence] = {
                field: algorithm,
                f"{field}.teacher_divergence": divergence_of(algorithm),
            }
            for place, one in wanting.items():
                if not self.teachers and (
                    one.type in TEACHER_METHODS or isinstance(one, Divergence)
                ):
                    raise ValueError(
                        f"{place}.type {one.type!r} needs a teacher: add teacher.model"
                    )
        return self

    @model_validator(mode="after")
    def _divergences_share_their_candidates(self) -> Self:
        found = {field: one.k for field, one in self.divergences().items()}
        if len(set(found.values())) > 1:
            each = ", ".join(f"{field}.k {k}" for field, k in found.items())
            raise ValueError(
                f"the teacher scores a rollout once for all phases, found {each}: set one k"
            )
        return self

    @model_validator(mode="after")
    def _temperature_fits_scorer(self) -> Self:
        warm = self.rollout.temperature != 1.0
        for field, teacher in self.teachers.items():
            if warm and teacher.scorer.type == "vllm":
                raise ValueError(
                    f"rollout.temperature {self.rollout.temperature} does not fit "
                    f"{field}.scorer.type 'vllm', whose log-probs are always at temperature 1: set "
                    f"rollout.temperature 1.0 or {field}.scorer.type 'transformers'"
                )
        return self

    @model_validator(mode="after")
    def _staleness_is_corrected(self) -> Self:
        stale = self.rollout.max_staleness
        for field, algorithm in self._algorithms().items():
            if isinstance(algorithm, Sft):
                continue
            if stale and algorithm.sampler_correction.type == "none":
                raise ValueError(
                    f"rollout.max_staleness {stale} samples with older weights, which "
                    f"{field}.sampler_correction.type 'none' leaves uncorrected: set "
                    f"rollout.max_staleness 0 or {field}.sampler_correction.type 'truncate'"
                )
        if not stale and self.rollout.kv_on_update == "keep":
            raise ValueError(
                "rollout.kv_on_update 'keep' needs rollouts in flight during an update, "
                "rollout.max_staleness is 0: set rollout.max_staleness to 1 or more, or leave "
                "rollout.kv_on_update out"
            )
        return self

    @model_validator(mode="after")
    def _resampling_fits_algorithm(self) -> Self:
        found = list(self._algorithms().values())
        if self.rollout.dynamic_sampling.type == "refill" and not any(map(is_reward_driven, found)):
            names = " and ".join(sorted({one.type for one in found}))
            without = " without teacher_divergence" if self.divergences() else ""
            raise ValueError(
                f"rollout.dynamic_sampling.type 'refill' drops groups from which {names} would "
                "learn; set 'off', or one of the algorithms "
                f"{', '.join(sorted(REWARD_DRIVEN))}{without}"
            )
        return self

    @model_validator(mode="after")
    def _minibatches_fit_step(self) -> Self:
        if self.rollout.prompts_per_step % self.optimizer.minibatches:
            raise ValueError(
                f"optimizer.minibatches {self.optimizer.minibatches} does not divide "
                f"rollout.prompts_per_step {self.rollout.prompts_per_step}"
            )
        return self

    @model_validator(mode="after")
    def _best_metric_is_measured(self) -> Self:
        every, checks = self.checkpoint.every, self.evaluation.every
        by_validation = self.checkpoint.best_metric == "validation/pass_at_1"
        if by_validation and (checks == 0 or every % checks):
            raise ValueError(
                "checkpoint.best_metric 'validation/pass_at_1' needs an evaluation at each "
                f"checkpoint: checkpoint.every is {every}, evaluation.every {checks}; set "
                f"evaluation.every {every}"
            )
        return self

    @model_validator(mode="after")
    def _gpus_fit_device(self) -> Self:
        problem = device_problem(self.resources, self.teachers)
        if problem is not None:
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        problem = mixture_problem(self.task) or teacher_problem(self.task, self.teacher)
        if problem is not None:
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _one_verdict(self) -> Self:
        for field, rewards in self.reward_lists().items():
            found = len(verdicts(rewards))
            if found != 1:
                raise ValueError(
                    f"{field} need exactly one of type 'verifier', or of type 'installed' with "
                    f"verdict true, found {found}"
                )
        return self

    @model_validator(mode="after")
    def _terms_in_order(self) -> Self:
        for part in self.parts:
            task, field = part.task, f"{part.path}task"
            if task.type == "chain_sum" and task.min_terms > task.max_terms:
                raise ValueError(
                    f"{field}.min_terms {task.min_terms} is above {field}.max_terms "
                    f"{task.max_terms}"
                )
        return self
