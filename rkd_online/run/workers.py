"""The workers of a job, built from its setup: plain classes, in whatever process needs them."""

from pathlib import Path
from typing import TYPE_CHECKING

from rkd_online.run.setup import JobSetup
from rkd_online.spec.job import JobSpec
from rkd_online.spec.mixture import Course
from rkd_online.types import LearnerRank

if TYPE_CHECKING:
    from rkd_online.generation.generator import PolicyGenerator
    from rkd_online.learning.role import LearnerRole
    from rkd_online.objects.checkpoints import LearnerCopies
    from rkd_online.scoring.scorer import GroupScorer
    from rkd_online.scoring.teacher import CandidateRequest, Teacher
    from rkd_online.tasks.rewards import Rewards


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
    """A generator that samples ``model``: the policy, or a teacher for its evaluation."""
    from rkd_online.generation.generator import PolicyGenerator

    return PolicyGenerator(setup.generator_settings(model), setup.probe_ids)


def build_scorer(setup: JobSetup, course: Course) -> "GroupScorer":
    """The scorer of a course, with its teacher if it has one."""
    from rkd_online.models.tokenizer import decoder, load_tokenizer
    from rkd_online.scoring.scorer import GroupScorer
    from rkd_online.tasks.build import build_task

    return GroupScorer(
        task=build_task(setup.spec.task),
        rewards=_rewards(setup.spec, course),
        decode=decoder(load_tokenizer(setup.policy)),
        end_token_ids=setup.end_token_ids,
        teacher=_teacher(setup, course),
        candidates=_candidates(setup) if course.teacher is not None else None,
    )


def _rewards(spec: JobSpec, course: Course) -> "Rewards":
    """Of each part of the course its own; what can hang or crash has a process for each part."""
    from rkd_online.tasks.mixture import MixedRewards
    from rkd_online.tasks.rewards import build_rewards

    found = {
        part.name: build_rewards(
            part.rewards,
            part.task,
            judging=spec.judging,
            correct_at=spec.correct_at,
            longest=spec.rollout.max_new_tokens,
            start_seconds=spec.resources.timeout_seconds,
        )
        for part in course.parts
    }
    return MixedRewards(found) if spec.mixed else found[""]


def _candidates(setup: JobSetup) -> "CandidateRequest | None":
    from rkd_online.models.folder import vocabulary_size
    from rkd_online.scoring.teacher import CandidateRequest

    count = setup.spec.candidates
    return CandidateRequest(count, vocabulary_size(setup.policy)) if count else None


def _teacher(setup: JobSetup, course: Course) -> "Teacher | None":
    from rkd_online.scoring.teacher import TransformersTeacher, VllmTeacher

    if course.teacher is None:
        return None
    model, scorer = setup.teachers[course.field], course.teacher.scorer
    if scorer.type == "vllm":
        return VllmTeacher(setup.teacher_settings(model, scorer))
    return TransformersTeacher(
        model,
        temperature=setup.spec.rollout.temperature,
        device=setup.spec.resources.device,
        threads=setup.spec.resources.scorer.threads,
        precision=setup.spec.precision.scorer,
    )


def build_learner(
    setup: JobSetup, place: LearnerRank, copies: "LearnerCopies | None" = None
) -> "LearnerRole":
    """The learner, or one rank of it; it publishes nothing before it is connected. ``copies`` are
    its way to checkpoints where nodes share no folder."""
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
        copies,
    )


async def connect_by_file(learner: "LearnerRole", setup: JobSetup) -> None:
    """Let the learner's first rank publish into the run's folder of weights."""
    from rkd_online.learning.outlets import file_outlet

    await learner.connect(lambda policy: file_outlet(policy, setup.weights_folder, setup.attempt))
