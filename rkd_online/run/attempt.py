"""One attempt of a job, from its first weight version to its report."""

from dataclasses import dataclass
from pathlib import Path

from rkd_online.evaluation.measurement import Measurement
from rkd_online.evaluation.plot import draw_report
from rkd_online.evaluation.report import Report
from rkd_online.generation.pool import GeneratorPool
from rkd_online.metrics.sinks import Sink, Sinks, read_reports
from rkd_online.run.checkpoints import CheckpointKeeper, named_checkpoints, step_of
from rkd_online.run.evaluator import Evaluator
from rkd_online.run.loop import Roles, train
from rkd_online.run.prompts import PromptStream
from rkd_online.run.records import RunFolder, write_whole
from rkd_online.run.report import StepReporter
from rkd_online.run.results import make_report
from rkd_online.run.setup import JobSetup
from rkd_online.run.workforce import Workforce
from rkd_online.types import WeightVersion
from rkd_online.weights.publisher import WeightPublisher


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt works with. ``resume_from`` is a checkpoint, None for a new start."""

    setup: JobSetup
    prompts: PromptStream
    work: Workforce
    folder: RunFolder
    sink: Sink
    resume_from: Path | None

    def log(self, message: str) -> None:
        """Tell whoever watches what is going on."""
        self.sink.event("log", {"message": message})


def checked_prompts(setup: JobSetup, resume_from: Path | None, sink: Sink) -> PromptStream:
    """The prompts of an attempt, each of them rendered once: one that does not fit is an error now
    and not at its step."""
    prompts = PromptStream(setup)
    done = 0 if resume_from is None else step_of(resume_from)
    count = prompts.check(done)
    sink.event("log", {"message": f"{count:,} prompts fit"})
    return prompts


async def run_attempt(attempt: Attempt) -> Report:
    """Measure the student, train it, measure student and teacher, write the report."""
    spec = attempt.setup.spec
    policy = GeneratorPool(attempt.work.generators)
    prompts = attempt.prompts
    evaluator = Evaluator(spec, prompts, attempt.work.scorer, policy, attempt.folder.evaluations)
    roles = _roles(attempt, policy, prompts, evaluator)
    done = await _start(attempt, roles)
    if done == 0:
        attempt.log("measuring the student before training")
        await evaluator.measured("student-before", policy)
    attempt.log(f"training, step {done + 1} of {spec.steps}")
    await train(roles, spec, done=done)
    attempt.log("measuring the student after training")
    before = evaluator.known("student-before")
    after = await evaluator.measured("student-after", policy)
    teacher = await _measured_teacher(attempt, evaluator)
    return _report(attempt, before, after, teacher)


def _roles(
    attempt: Attempt, policy: GeneratorPool, prompts: PromptStream, evaluator: Evaluator
) -> Roles:
    spec, work = attempt.setup.spec, attempt.work
    own = attempt.folder.attempt(attempt.setup.attempt)
    workers = [*work.generators, work.scorer, work.learner]
    keeper = CheckpointKeeper(own.checkpoints, work.learner, spec.checkpoint, attempt.sink)
    sink = Sinks([keeper, attempt.sink])
    return Roles(
        prompts=prompts,
        generator=policy,
        scorer=work.scorer,
        learner=work.learner,
        publisher=WeightPublisher(
            work.learner, work.generators, timeout_seconds=spec.resources.timeout_seconds
        ),
        records=own,
        validation=evaluator,
        checkpoints=keeper,
        reporter=StepReporter(workers, sink, correct_at=spec.correct_at),
    )


async def _start(attempt: Attempt, roles: Roles) -> WeightVersion:
    """Bring learner and generators to the same version; returns the number of steps done.

    The first publish also shows that vLLM computes with the policy as transformers does.
    """
    if attempt.resume_from is None:
        await roles.checkpoints.save(0)
        await roles.publisher.publish()
        return 0
    attempt.log(f"resuming from {attempt.resume_from}")
    done = await roles.learner.restore(attempt.resume_from)
    await roles.publisher.publish()
    return done


async def _measured_teacher(attempt: Attempt, evaluator: Evaluator) -> Measurement | None:
    """The teacher's engine takes the place of the policy's."""
    teacher = attempt.setup.teacher
    if teacher is None:
        return None
    attempt.log("measuring the teacher")
    await attempt.work.close_generators()
    generator = await attempt.work.start_generator(teacher)
    try:
        return await evaluator.measured("teacher", generator)
    finally:
        await generator.close()


def _report(
    attempt: Attempt, before: Measurement, after: Measurement, teacher: Measurement | None
) -> Report:
    steps = read_reports([one.metrics for one in attempt.folder.attempts()])
    report = make_report(
        attempt.setup,
        steps,
        named_checkpoints(attempt.folder, steps, attempt.setup.spec.checkpoint),
        before=before,
        after=after,
        teacher=teacher,
    )
    draw_report(report, steps, attempt.folder.plot)
    write_whole(attempt.folder.report, report.model_dump_json(indent=2) + "\n")
    return report
