"""The workers of a job, built from its setup: plain classes, in whatever process needs them."""

from pathlib import Path
from typing import TYPE_CHECKING

from rkd_online.run.setup import JobSetup
from rkd_online.types import LearnerRank

if TYPE_CHECKING:
    from rkd_online.generation.generator import PolicyGenerator
    from rkd_online.learning.role import LearnerRole
    from rkd_online.scoring.scorer import GroupScorer
    from rkd_online.scoring.teacher import CandidateRequest, Teacher


def import_generator() -> None:
    """Import what a generator needs, which takes longer than anything that it does at its start."""
    import rkd_online.generation.generator  # noqa: F401


def import_scorer() -> None:
    """Import what a scorer needs."""
    import rkd_online.models.completion_model
    import rkd_online.models.tokenizer
    import rkd_online.scoring.scorer  # noqa: F401


def import_learner() -> None:
    """Import what a learner needs."""
    import rkd_online.learning.learner  # noqa: F401


def build_generator(setup: JobSetup, model: Path) -> "PolicyGenerator":
    """A generator that samples ``model``: the policy, or the teacher for its evaluation."""
    from rkd_online.generation.generator import PolicyGenerator

    return PolicyGenerator(setup.generator_settings(model), setup.probe_ids)


def build_scorer(setup: JobSetup) -> "GroupScorer":
    """The scorer, with the job's teacher if it has one."""
    from rkd_online.models.tokenizer import decoder, load_tokenizer
    from rkd_online.scoring.scorer import GroupScorer
    from rkd_online.tasks.build import build_task
    from rkd_online.tasks.rewards import build_rewards

    spec = setup.spec
    return GroupScorer(
        task=build_task(spec.task),
        rewards=build_rewards(
            spec.rewards,
            spec.task,
            judging=spec.judging,
            correct_at=spec.correct_at,
            longest=spec.rollout.max_new_tokens,
            start_seconds=spec.resources.timeout_seconds,
        ),
        decode=decoder(load_tokenizer(setup.policy)),
        end_token_ids=setup.end_token_ids,
        teacher=_teacher(setup),
        candidates=_candidates(setup),
    )


def _candidates(setup: JobSetup) -> "CandidateRequest | None":
    from rkd_online.models.load import vocabulary_size
    from rkd_online.scoring.teacher import CandidateRequest

    count = setup.spec.candidates
    return CandidateRequest(count, vocabulary_size(setup.policy)) if count else None


def _teacher(setup: JobSetup) -> "Teacher | None":
    from rkd_online.scoring.teacher import TransformersTeacher, VllmTeacher

    if setup.spec.teacher is None or setup.teacher is None:
        return None
    scorer = setup.spec.teacher.scorer
    if scorer.type == "vllm":
        return VllmTeacher(setup.teacher_settings(setup.teacher, scorer))
    return TransformersTeacher(
        setup.teacher,
        temperature=setup.spec.rollout.temperature,
        device=setup.spec.resources.device,
        threads=setup.spec.resources.scorer.threads,
        precision=setup.spec.precision.scorer,
    )


def build_learner(setup: JobSetup, place: LearnerRank) -> "LearnerRole":
    """The learner, or one rank of it; it publishes nothing before it is connected."""
    from rkd_online.learning.learner import PolicyLearner
    from rkd_online.learning.ranks import Ranks
    from rkd_online.learning.role import LearnerRole

    spec = setup.spec
    return LearnerRole(
        lambda: PolicyLearner(
            setup.policy,
            phases=spec.phases_in_turn,
            optimizer=spec.optimizer,
            total_steps=spec.steps,
            device=spec.resources.device,
            threads=spec.resources.learner.threads,
            precision=spec.precision.learner,
            ranks=Ranks(
                place,
                device=spec.resources.device,
                timeout_seconds=spec.resources.timeout_seconds,
            ),
        ),
        setup.probe_ids,
    )


async def connect_by_file(learner: "LearnerRole", setup: JobSetup) -> None:
    """Let the learner's first rank publish into the run's folder of weights."""
    from rkd_online.learning.outlets import file_outlet

    await learner.connect(lambda policy: file_outlet(policy, setup.weights_folder, setup.attempt))
