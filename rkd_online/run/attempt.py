"""One attempt of a job, from its first weight version to its report."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from rkd_online.evaluation.record import Evaluation
from rkd_online.evaluation.report import TEACHER_BEHIND, Report
from rkd_online.learning.manifest import read_progress
from rkd_online.metrics.sinks import Sink, Sinks
from rkd_online.run.advice.adviser import AdviceSink
from rkd_online.run.checkpoints import CheckpointKeeper, named_checkpoints
from rkd_online.run.evaluator import Evaluator
from rkd_online.run.learners import LearnerRanks
from rkd_online.run.loop import Batches, Roles, train
from rkd_online.run.pipeline import Pipeline
from rkd_online.run.pools import GeneratorPool, job_scorers
from rkd_online.run.prompts import PromptStream
from rkd_online.run.records import RunFolder, write_whole
from rkd_online.run.report import TOKEN_ROLES, StepReporter, Worker
from rkd_online.run.results import make_report
from rkd_online.run.roles import Generator
from rkd_online.run.setup import JobSetup
from rkd_online.run.setup_record import write_setup
from rkd_online.run.shelf import DISK, Shelf
from rkd_online.run.steering import NO_ORDERS, Orders, Steering
from rkd_online.run.stored import KeptInStore, StoredGroups
from rkd_online.run.trace import TraceFile
from rkd_online.run.workforce import Workforce
from rkd_online.spec.job import JobSpec
from rkd_online.types import Progress
from rkd_online.weights.publisher import WeightPublisher

START: Final = Progress(step=0, next_group=0, open_groups=())


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt works with. ``resume_from`` is a checkpoint, None for a new start. ``orders``
    are what is asked of it meanwhile; ``applied`` changes are in the spec of ``setup`` already;
    checkpoints are on the ``shelf``."""

    setup: JobSetup
    prompts: PromptStream
    work: Workforce
    folder: RunFolder
    sink: Sink
    resume_from: Path | None
    orders: Orders = NO_ORDERS
    applied: int = 0
    shelf: Shelf = DISK

    def log(self, message: str) -> None:
        """Tell whoever watches what is going on."""
        self.sink.event("log", {"message": message})


def checked_prompts(setup: JobSetup, resume_from: Path | None, sink: Sink) -> PromptStream:
    """The prompts of an attempt, each of them rendered once: one that does not fit is an error now
    and not at its step."""
    prompts = PromptStream(setup)
    count = prompts.check(_progress(resume_from))
    sink.event("log", {"message": f"{count:,} prompts fit"})
    return prompts


async def run_attempt(attempt: Attempt) -> Report:
    """Measure the student, train it, measure student and teacher, write the report.

    Raises Paused where a pause is asked for: with a step it waits until that is done, a measurement
    is given up for it, and is made by the next attempt. One that is asked for when the last model
    is measured comes too late, and the job finishes.
    """
    spec = attempt.setup.spec
    policy = GeneratorPool(attempt.work.generators)
    scorers = job_scorers(spec.courses, attempt.work.scorers)
    evaluator = Evaluator(
        attempt.setup, attempt.prompts, scorers, policy, attempt.folder.evaluations
    )
    write_setup(attempt.folder.attempt(attempt.setup.attempt).setup, attempt.setup)
    progress = _progress(attempt.resume_from)
    earlier = [one for one in attempt.folder.reports() if one.step <= progress.step]
    if attempt.prompts.stored is None:
        batches: Batches = Pipeline(attempt.prompts, policy, scorers, spec, progress)
    else:
        batches = StoredGroups(attempt.prompts.stored, spec, progress)
    roles = _roles(attempt, batches, evaluator, AdviceSink(spec, earlier, attempt.sink))
    steering = Steering(spec, progress, earlier, orders=attempt.orders, applied=attempt.applied)
    await _start(attempt, roles)
    if progress.step == 0:
        attempt.log("measuring the student before training")
        await steering.unless_paused(evaluator.measured("student-before", policy, version=0))
    if progress.step < steering.stopping.last:
        attempt.log(f"training, step {progress.step + 1} of {spec.steps}")
    await train(roles, steering, progress)
    attempt.log("measuring the student after training")
    before = evaluator.known("student-before")
    after = await steering.unless_paused(
        evaluator.measured("student-after", policy, version=steering.done)
    )
    teacher = await steering.unless_paused(_measured_teacher(attempt, evaluator))
    return _report(attempt, steering, before, after, teacher)


def _roles(attempt: Attempt, batches: Batches, evaluator: Evaluator, advice: Sink) -> Roles:
    spec, work = attempt.setup.spec, attempt.work
    online = attempt.prompts.stored is None
    own = attempt.folder.attempt(attempt.setup.attempt)
    learner = LearnerRanks(work.learners)
    keeper = CheckpointKeeper(
        own.checkpoints, learner, spec.checkpoint, attempt.sink, attempt.shelf
    )
    sink = Sinks([keeper, attempt.sink, advice])
    return Roles(
        batches=batches,
        learner=learner,
        publisher=WeightPublisher(
            learner,
            work.generators,
            precision=spec.precision.generator,
            timeout_seconds=spec.resources.timeout_seconds,
        ),
        records=own if online else KeptInStore(),
        validation=evaluator,
        checkpoints=keeper,
        reporter=StepReporter(
            _named(spec, work),
            sink,
            TraceFile(own.trace),
            correct_at=spec.correct_at,
            parts=[part.name for part in spec.parts] if spec.mixed else (),
            token_roles=TOKEN_ROLES if online else ("learner",),
        ),
    )


def _named(spec: JobSpec, work: Workforce) -> dict[str, Worker]:
    """All workers by role and number; where there are several teachers scorers by theirs too."""
    roles: dict[str, Sequence[Worker]] = {"generator": work.generators}
    for course, scorers in zip(spec.courses, work.scorers, strict=True):
        roles[f"scorer:{course.name}" if course.name else "scorer"] = scorers
    roles["learner"] = work.learners
    return {
        f"{role}:{index}": worker
        for role, found in roles.items()
        for index, worker in enumerate(found)
    }


def _progress(checkpoint: Path | None) -> Progress:
    return START if checkpoint is None else read_progress(checkpoint)


async def _start(attempt: Attempt, roles: Roles) -> None:
    """Bring learner and generators to the same version.

    The first publish also shows that vLLM computes with the policy as transformers does.
    """
    if attempt.resume_from is None:
        await roles.checkpoints.save(START)
    else:
        attempt.log(f"resuming from {attempt.resume_from}")
        await roles.learner.restore(attempt.resume_from)
    await roles.publisher.swap(await roles.publisher.write())


async def _measured_teacher(attempt: Attempt, evaluator: Evaluator) -> Evaluation | None:
    """A teacher's engine takes the place of the policy's; of several teachers each answers the
    prompts of its own parts, one after the other."""
    spec = attempt.setup.spec
    if not spec.teachers:
        return None
    attempt.log("measuring the teacher")
    await attempt.work.close_generators()
    engines = [partial(_teacher_engine, attempt, field) for field in spec.teachers]
    return await evaluator.measured_in_turn(
        "teacher", list(zip(spec.courses, engines, strict=True))
    )


@asynccontextmanager
async def _teacher_engine(attempt: Attempt, field: str) -> AsyncIterator[Generator]:
    generator = await attempt.work.start_generator(attempt.setup.teachers[field])
    try:
        yield generator
    finally:
        await generator.close()


def _report(
    attempt: Attempt,
    steering: Steering,
    before: Evaluation,
    after: Evaluation,
    teacher: Evaluation | None,
) -> Report:
    # A job that was given fewer steps may have gone on from before the last one that it reported.
    steps = [one for one in attempt.folder.reports() if one.step <= steering.done]
    report = make_report(
        replace(attempt.setup, spec=steering.spec),
        steps,
        named_checkpoints(attempt.folder, steps, steering.spec.checkpoint),
        before=before,
        after=after,
        teacher=teacher,
    )
    from rkd_online.evaluation.plot import draw_report  # takes a second, when no one waits

    draw_report(report, steps, attempt.folder.plot)
    for one in report.warnings:
        if one.name == TEACHER_BEHIND:  # the others were told after their steps
            attempt.sink.event("warning", one.model_dump())
    write_whole(attempt.folder.report, report.model_dump_json(indent=2) + "\n")
    return report
