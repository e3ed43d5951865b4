"""Checkpoints of one attempt: written by the learner, announced when whole, pruned."""

from collections.abc import Sequence
from pathlib import Path

from rkd_online.learning.retention import prune
from rkd_online.metrics.sinks import Sink
from rkd_online.run.roles import Learner
from rkd_online.spec.training import CheckpointSpec


def checkpoint_name(step: int) -> str:
    """The folder of the checkpoint after ``step``."""
    return f"step-{step:06d}"


class CheckpointKeeper:
    """Saves what a resumed run needs and keeps what the policy says."""

    def __init__(
        self, folder: Path, learner: Learner, policy: CheckpointSpec, sinks: Sequence[Sink]
    ) -> None:
        self._folder = folder
        self._learner = learner
        self._policy = policy
        self._sinks = sinks
        self._best: tuple[float, int] | None = None

    async def save(self, step: int, metrics: dict[str, float]) -> None:
        """Write the checkpoint after ``step``; then drop those that are no longer kept."""
        name = checkpoint_name(step)
        await self._learner.save(self._folder / name, {"step": step})
        value = metrics.get(self._policy.best_metric)
        if value is not None and (self._best is None or value > self._best[0]):
            self._best = (value, step)
        attempt = self._folder.parent.name
        for sink in self._sinks:
            sink.event(
                "checkpoint", {"step": step, "path": f"attempts/{attempt}/checkpoints/{name}"}
            )
        prune(self._folder, keep=self._policy.keep, best=self._best[1] if self._best else 0)
