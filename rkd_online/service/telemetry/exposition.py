"""Prometheus' text of what was counted and of how the jobs stand."""

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rkd_online.service.store.standing import Standing
from rkd_online.service.telemetry.catalogue import SERIES
from rkd_online.service.telemetry.recorder import Recorder

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST


def exposition(recorder: Recorder, standing: Standing | None) -> bytes:
    """The answer to a scrape; without a standing the database did not tell."""
    return generate_latest(_Scrape(recorder, standing))


class _Scrape(Collector):
    """One scrape."""

    def __init__(self, recorder: Recorder, standing: Standing | None) -> None:
        self._recorder = recorder
        self._standing = standing

    def collect(self) -> Iterator[Metric]:
        """Without the series of when each counter began, which Prometheus finds out by itself."""
        for metric in self._recorder.registry.collect():
            metric.samples = [one for one in metric.samples if not one.name.endswith("_created")]
            yield metric
        yield _gauge("rkd_database_up", {(): float(self._standing is not None)})
        if self._standing is not None:
            yield from _standing_gauges(self._standing)


def _standing_gauges(standing: Standing) -> Iterator[Metric]:
    yield _gauge("rkd_jobs", {(status,): float(n) for status, n in standing.jobs.items()})
    yield _gauge("rkd_queue_depth", {(): float(standing.waiting)})
    yield _gauge("rkd_queue_oldest_seconds", {(): standing.oldest_wait})
    yield _gauge("rkd_heartbeat_age_seconds", {(): standing.longest_silence})


def _gauge(name: str, values: Mapping[tuple[str, ...], float]) -> Metric:
    series = SERIES[name]
    family = GaugeMetricFamily(name, series.meaning, labels=series.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
