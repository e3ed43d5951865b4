"""Checkpoints of one attempt: written by the learner, announced when whole, pruned."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from rkd_online.evaluation.report import NamedCheckpoints
from rkd_online.files import checkpoint_path, step_name
from rkd_online.metrics.sinks import Sink
from rkd_online.run.records import RunFolder
from rkd_online.run.roles import Policy
from rkd_online.run.shelf import DISK, Shelf
from rkd_online.spec.training import CheckpointSpec
from rkd_online.types import Progress, StepReport, WeightVersion


def values_by_version(reports: Iterable[StepReport], metric: str) -> dict[WeightVersion, float]:
    """What a metric says of each weight version.

    Validation asks the version that the step made; the rewards of a step are those of the oldest
    version that sampled it, in a strictly on-policy job the one before.
    """
    asked = metric.startswith("validation/")
    return {
        report.version if asked else report.version - 1 - report.staleness: report.metrics[metric]
        for report in reports
        if metric in report.metrics
    }


def best_step(saved: Iterable[int], values: Mapping[WeightVersion, float]) -> int:
    """Of the checkpoints after these steps the first with the highest value; 0 if none has one."""
    return max(
        (step for step in sorted(saved) if step in values), key=lambda step: values[step], default=0
    )


def named_checkpoints(
    run: RunFolder, steps: Iterable[StepReport], policy: CheckpointSpec
) -> NamedCheckpoints:
    """The last and the best checkpoint of all attempts of a run that reached its end."""
    saved = run.checkpoints()
    best = best_step(saved, values_by_version(steps, policy.best_metric))
    last, best_folder = (str(saved[step].relative_to(run.path)) for step in (max(saved), best))
    return NamedCheckpoints(last=last, best=best_folder, best_by=policy.best_metric)


class CheckpointKeeper:
    """Saves what a resumed run needs and keeps what the policy says.

    It is one of the run's sinks, since the step reports say which checkpoint is the best.
    """

    def __init__(
        self,
        folder: Path,
        learner: Policy,
        policy: CheckpointSpec,
        sink: Sink,
        shelf: Shelf = DISK,
    ) -> None:
        self._folder = folder
        self._learner = learner
        self._policy = policy
        self._sink = sink
        self._shelf = shelf
        self._saved: list[int] = []
        self._values: dict[WeightVersion, float] = {}

    def report(self, report: StepReport) -> None:
        """Learn what a step says of a version."""
        self._values |= values_by_version([report], self._policy.best_metric)

    def event(self, type: str, data: dict[str, object]) -> None:
        """Events say nothing of a version."""

    def close(self) -> None:
        """Nothing is held open."""

    async def save(self, progress: Progress) -> None:
        """Write the checkpoint of a step; then drop those that are no longer kept."""
        step = progress.step
        folder = self._folder / step_name(step)
        await self._learner.save(folder, progress)
        await self._shelf.take(folder)
        self._saved.append(step)
        path = checkpoint_path(int(self._folder.parent.name), step)
        self._sink.event("checkpoint", {"step": step, "path": path})
        best = best_step(self._saved, self._values)
        await self._shelf.prune(self._folder, keep=self._policy.keep, best=best)
