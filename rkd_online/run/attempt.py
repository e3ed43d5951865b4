"""One attempt of a job, from its first weight version to its report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rkd_online.evaluation.report import Report
from rkd_online.generation.pool import GeneratorPool
from rkd_online.metrics.sinks import Sink
from rkd_online.run.checkpoints import CheckpointKeeper
from rkd_online.run.evaluator import Evaluator
from rkd_online.run.loop import Roles, train
from rkd_online.run.prompts import PromptStream
from rkd_online.run.records import RunFolder
from rkd_online.run.report import StepReporter
from rkd_online.run.results import write_report
from rkd_online.run.setup import JobSetup
from rkd_online.run.workforce import Workforce
from rkd_online.weights.publisher import WeightPublisher


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt works with. ``resume_from`` is a checkpoint, None for a new start."""

    setup: JobSetup
    workforce: Workforce
    folder: RunFolder
    sinks: Sequence[Sink]
    resume_from: Path | None

    def phase(self, message: str) -> None:
        """Tell whoever watches what is going on."""
        for sink in self.sinks:
            sink.event("log", {"message": message})


async def run_attempt(attempt: Attempt) -> Report:
    """Measure the student, train it, measure student and teacher, write the report."""
    roles, evaluator = _roles(attempt)
    done = await _start(attempt, roles)
    attempt.phase("measuring the student before training")
    before = await evaluator.measured("student-before", roles.generator)
    attempt.phase(f"training from step {done + 1}")
    await train(roles, attempt.setup.spec, done=done)
    attempt.phase("measuring the student after training")
    after = await evaluator.measured("student-after", roles.generator)
    teacher = await _measured_teacher(attempt, evaluator)
    report = write_report(attempt, before=before, after=after, teacher=teacher)
    for sink in attempt.sinks:
        sink.event("finished", {"summary": report.summary})
    return report
