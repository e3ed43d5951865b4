"""From what a step did to its report: metrics of all stages, throughput, the loop's own share."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from rkd_online.batching.statistics import batch_metrics
from rkd_online.metrics.busy import BusySpan, covered_seconds
from rkd_online.metrics.sinks import Sink
from rkd_online.run.stages import StageClock
from rkd_online.types import ScoredGroup, StepReport


class Busy(Protocol):
    """A role that says when it worked."""

    async def busy_spans(self) -> list[BusySpan]:
        """When it worked since the last call."""
        ...


class StepReporter:
    """Makes each step's report and hands it on."""

    def __init__(self, workers: Sequence[Busy], sink: Sink, *, correct_at: float) -> None:
        self._workers = workers
        self._sink = sink
        self._correct_at = correct_at

    async def step(
        self,
        step: int,
        staleness: int,
        groups: Sequence[ScoredGroup],
        metrics: dict[str, float],
        clock: StageClock,
    ) -> None:
        """Report one step."""
        spans = await asyncio.gather(*(worker.busy_spans() for worker in self._workers))
        ended = time.time()
        seconds = ended - clock.started
        busy = [span for worker in spans for span in worker]
        whole = (
            metrics
            | batch_metrics(groups, correct_at=self._correct_at)
            | throughput(groups, busy, clock.started, ended)
            | {"loop/share": 1 - covered_seconds(busy, clock.started, ended) / seconds}
        )
        timings = clock.seconds | {"step": seconds}
        self._sink.report(StepReport(step, step, staleness, timings, whole))


def throughput(
    groups: Sequence[ScoredGroup], spans: Sequence[BusySpan], start: float, end: float
) -> dict[str, float]:
    """Rollouts and completion tokens per second of the step from ``start`` to ``end``, and tokens
    per second of each role's own work in it."""
    rollouts = [scored.rollout for group in groups for scored in group.rollouts]
    tokens = sum(len(rollout.completion_ids) for rollout in rollouts)
    rates = {
        "throughput/rollouts_per_second": len(rollouts) / (end - start),
        "throughput/tokens_per_second": tokens / (end - start),
    }
    for role, stage in (("generator", "generate"), ("scorer", "score"), ("learner", "update")):
        work = [span for span in spans if span.role == role and span.stage == stage]
        busy = covered_seconds(work, start, end)
        if busy > 0:
            rates[f"throughput/{role}_tokens_per_second"] = tokens / busy
    return rates
