"""From what a step did to its report: metrics of all stages, rates, idle shares, core-seconds."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from rkd_online.batching.statistics import batch_metrics, part_metrics
from rkd_online.metrics.busy import BusySpan, WorkLog, covered_seconds
from rkd_online.metrics.sinks import Sink
from rkd_online.metrics.trace_steps import LOOP
from rkd_online.run.cost import CoreSeconds, busy_seconds
from rkd_online.run.freshness import mean_staleness, staleness
from rkd_online.run.stages import StageClock
from rkd_online.types import ScoredGroup, StepReport

ROLES = {"generator": "generate", "scorer": "score", "learner": "update"}
"""Each role and the stage of its own work with tokens."""
TOKEN_ROLES = tuple(ROLES)
"""Those that work on the tokens of a step that the policy samples."""


class Worker(Protocol):
    """A role that says what it did."""

    async def work(self) -> WorkLog:
        """What it did since the last call."""
        ...


class Trace(Protocol):
    """Keeps who did what when."""

    def step(self, step: int, spans: Mapping[str, Sequence[BusySpan]]) -> None:
        """The spans of a step by worker."""
        ...


class StepReporter:
    """Makes each step's report and hands it on."""

    def __init__(
        self,
        workers: Mapping[str, Worker],
        sink: Sink,
        trace: Trace,
        *,
        correct_at: float,
        parts: Sequence[str] = (),
        token_roles: Sequence[str] = TOKEN_ROLES,
    ) -> None:
        """``workers`` are by name, such as ``generator:0``, ``parts`` those of a mixture;
        ``token_roles`` those of ``ROLES`` that work on the tokens of a step."""
        self._workers = workers
        self._sink = sink
        self._trace = trace
        self._correct_at = correct_at
        self._parts = parts
        self._token_roles = token_roles
        self._cpu = CoreSeconds()
        self._early: dict[str, tuple[BusySpan, ...]] = {}

    async def start(self) -> None:
        """Count the cores' time from here; what was done before is in the trace alone."""
        logs = await self._logs()
        self._cpu.spent(logs)
        self._early = {name: log.spans for name, log in logs.items()}

    async def step(
        self,
        step: int,
        groups: Sequence[ScoredGroup],
        metrics: dict[str, float],
        clock: StageClock,
    ) -> StepReport:
        """Report one step, which made version ``step`` from ``groups``."""
        logs = await self._logs()
        ended = time.time()
        seconds = ended - clock.started
        early, self._early = self._early, {}
        work = {name: early.get(name, ()) + log.spans for name, log in logs.items()}
        busy = [span for spans in work.values() for span in spans]
        whole = (
            metrics
            | batch_metrics(groups, correct_at=self._correct_at)
            | part_metrics(groups, self._parts, correct_at=self._correct_at)
            | throughput(groups, busy, clock.started, ended, self._token_roles)
            | idle_shares(work, clock.started, ended)
            | {"loop/share": 1 - covered_seconds(busy, clock.started, ended) / seconds}
            | busy_seconds(work, clock.started, ended)
            | self._cpu.spent(logs)
            | {"rollout/staleness_mean": mean_staleness(groups, step - 1)}
        )
        timings = clock.seconds() | {"step": seconds}
        oldest = staleness((one.rollout for group in groups for one in group.rollouts), step - 1)
        report = StepReport(step, step, oldest, timings, whole)
        self._sink.report(report)
        self._trace.step(step, {LOOP: clock.spans, **work})
        return report

    def event(self, type: str, data: dict[str, object]) -> None:
        """Tell of something else that happened."""
        self._sink.event(type, data)

    async def _logs(self) -> dict[str, WorkLog]:
        logs = await asyncio.gather(*(worker.work() for worker in self._workers.values()))
        return dict(zip(self._workers, logs, strict=True))


def throughput(
    groups: Sequence[ScoredGroup],
    spans: Sequence[BusySpan],
    start: float,
    end: float,
    roles: Sequence[str] = TOKEN_ROLES,
) -> dict[str, float]:
    """Rollouts and completion tokens per second of the step from ``start`` to ``end``, and tokens
    per second of the own work of each of ``roles`` in it."""
    rollouts = [scored.rollout for group in groups for scored in group.rollouts]
    tokens = sum(len(rollout.completion_ids) for rollout in rollouts)
    rates = {
        "throughput/rollouts_per_second": len(rollouts) / (end - start),
        "throughput/tokens_per_second": tokens / (end - start),
    }
    for role in roles:
        work = [span for span in spans if span.role == role and span.stage == ROLES[role]]
        busy = covered_seconds(work, start, end)
        if busy > 0:
            rates[f"throughput/{role}_tokens_per_second"] = tokens / busy
    return rates


def idle_shares(
    work: Mapping[str, Sequence[BusySpan]], start: float, end: float
) -> dict[str, float]:
    """Share of the step from ``start`` to ``end`` in which a role did nothing, mean over its
    workers, which are named ``role:index``; of a role with names, ``role:name:index``, also the
    mean of each name."""
    shares: dict[str, list[float]] = {}
    for worker, spans in work.items():
        idle = 1 - covered_seconds(spans, start, end) / (end - start)
        role, *names, _ = worker.split(":")
        for metric in (f"idle/{role}_share", *(f"idle/{role}_share/{name}" for name in names)):
            shares.setdefault(metric, []).append(idle)
    return {metric: sum(found) / len(found) for metric, found in shares.items()}
