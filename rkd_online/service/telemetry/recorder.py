"""Counts what happens in one app. What the database knows is read when it is asked for."""

import platform
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from rkd_online import __version__
from rkd_online.service.launchers.base import LauncherError
from rkd_online.service.launchers.room import Room
from rkd_online.service.outcomes import LossCause, Outcome
from rkd_online.service.run_events import EVENT_TYPES
from rkd_online.service.telemetry.catalogue import SERIES

REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
TRANSACTION_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
PASS_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
REPORT_BUCKETS: Final = (1, 5, 10, 15, 20, 30, 60, 120, 300, 900, 3600)
"""Runs report every 15 seconds where they have nothing to say."""

Part = Literal["pass", "attempt"]


class Recorder:
    """A registry of its own: several apps of one process do not count together."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = self._counter("rkd_requests_total")
        self._request_seconds = self._histogram("rkd_request_seconds", REQUEST_BUCKETS)
        self.in_progress = self._gauge("rkd_requests_in_progress")
        self.streams = self._gauge("rkd_streams")
        self._attempts = self._counter("rkd_attempts_total", *Outcome)
        self._losses = self._counter("rkd_attempt_losses_total", *LossCause)
        self._run_events = self._counter("rkd_run_events_total", *EVENT_TYPES)
        self._reports = self._histogram("rkd_report_interval_seconds", REPORT_BUCKETS)
        self._passes = self._histogram("rkd_reconcile_seconds", PASS_BUCKETS)
        self._failures = self._counter("rkd_reconcile_failures_total", "pass", "attempt")
        self._transactions = self._histogram("rkd_database_seconds", TRANSACTION_BUCKETS)
        self._cluster = {
            "CPU": self._gauge("rkd_cluster_cpus"),
            "GPU": self._gauge("rkd_cluster_gpus"),
        }
        self._seen = self._gauge("rkd_cluster_seen_timestamp_seconds")
        self._cluster_errors = self._counter("rkd_cluster_errors_total")
        self._gauge("rkd_build_info").labels(__version__, platform.python_version()).set(1)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def attempt_ended(self, outcome: Outcome) -> None:
        """An attempt is over."""
        self._attempts.labels(outcome).inc()

    def attempt_lost(self, cause: LossCause) -> None:
        """Why one that is over was lost."""
        self._losses.labels(cause).inc()

    def run_events(self, types: Sequence[str]) -> None:
        """New events of a run."""
        for event_type in types:
            self._run_events.labels(event_type).inc()

    def report_after(self, seconds: float) -> None:
        """An attempt reported, so long after its report before."""
        self._reports.observe(seconds)

    def reconciling(self) -> AbstractContextManager[object]:
        """Times a pass."""
        return self._passes.time()

    def reconcile_failed(self, part: Part) -> None:
        """A pass, or its look at one attempt, ended in an error."""
        self._failures.labels(part).inc()

    def transaction(self, kind: Literal["read", "write"]) -> AbstractContextManager[object]:
        """Times a transaction."""
        return self._transactions.labels(kind).time()

    def cluster_seen(self, room: Room, moment: datetime) -> None:
        """The cluster told its room; one that has no end has no number either."""
        if room.endless:
            return
        for kind, gauge in self._cluster.items():
            gauge.labels("total").set(sum(node.total.get(kind, 0.0) for node in room.nodes))
            gauge.labels("used").set(sum(node.used.get(kind, 0.0) for node in room.nodes))
        self._seen.set(moment.timestamp())

    @contextmanager
    def cluster_call(self) -> Iterator[None]:
        """Counts a call that fails."""
        try:
            yield
        except LauncherError:
            self._cluster_errors.inc()
            raise

    def _counter(self, name: str, *values: str) -> Counter:
        """A counter that shows a 0 for each value of its label from the start."""
        series = SERIES[name]
        counter = Counter(name, series.meaning, series.labels, registry=self.registry)
        for value in values:
            counter.labels(value)
        return counter

    def _gauge(self, name: str) -> Gauge:
        series = SERIES[name]
        return Gauge(name, series.meaning, series.labels, registry=self.registry)

    def _histogram(self, name: str, buckets: Sequence[float]) -> Histogram:
        series = SERIES[name]
        return Histogram(
            name, series.meaning, series.labels, registry=self.registry, buckets=buckets
        )
