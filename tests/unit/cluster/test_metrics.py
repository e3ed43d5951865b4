"""What a step's report becomes as Ray metrics; Ray itself is not started."""

import pytest

from rkd_online.cluster.metrics import RayMetricsSink
from rkd_online.metrics.names import METRICS
from rkd_online.metrics.run_series import ROLE_GAUGES, ROLES, SERIES, STEP_GAUGES
from rkd_online.metrics.sinks import Sinks
from rkd_online.types import StepReport


class FakeGauge:
    """Keeps the last value of each series of the metric, as Ray does."""

    series: dict[str, float]

    def __init__(self, name: str, description: str, tag_keys: tuple[str, ...]) -> None:
        self._name = name
        self._tag_keys = tag_keys

    def set(self, value: float, tags: dict[str, str]) -> None:
        assert tuple(tags) == self._tag_keys
        self.series[" ".join([self._name, *tags.values()])] = value


@pytest.fixture
def series(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    monkeypatch.setattr(FakeGauge, "series", {}, raising=False)
    monkeypatch.setattr("rkd_online.cluster.metrics.Gauge", FakeGauge)
    monkeypatch.setattr(
        "rkd_online.cluster.metrics.time.time", iter([1000.0, 1060.0, 1120.0]).__next__
    )
    return FakeGauge.series


def test_every_series_carries_its_job(series: dict[str, float]) -> None:
    metrics = {
        "reward/mean": 0.5,
        "policy/kl_teacher": 0.25,
        "policy/kl_reference": 0.125,
        "throughput/generator_tokens_per_second": 1000.0,
        "idle/scorer_share": 0.75,
        "cost/scorer_busy_seconds": 0.5,
        "cost/loop_core_seconds": 0.25,
        "policy/loss": -0.1,
    }
    sink = RayMetricsSink("job-1", 8)
    sink.report(StepReport(3, 3, 1, {"update": 0.75, "step": 2.0}, metrics))
    assert series == {
        "rkd_step job-1": 3,
        "rkd_steps_planned job-1": 8,
        "rkd_step_timestamp_seconds job-1": 1060.0,
        "rkd_staleness_versions job-1": 1,
        "rkd_reward_mean job-1": 0.5,
        "rkd_kl_teacher_nats job-1": 0.25,
        "rkd_kl_reference_nats job-1": 0.125,
        "rkd_stage_seconds job-1 update": 0.75,
        "rkd_stage_seconds job-1 step": 2.0,
        "rkd_tokens_per_second job-1 generator": 1000.0,
        "rkd_idle_share job-1 scorer": 0.75,
        "rkd_role_busy_seconds job-1 scorer": 0.5,
        "rkd_role_core_seconds job-1 loop": 0.25,
    }


def test_a_stage_that_a_step_did_not_have_took_no_time(series: dict[str, float]) -> None:
    sink = RayMetricsSink("job-1", 8)
    sink.report(StepReport(2, 2, 0, {"step": 5.0, "evaluate": 3.0}, {}))
    sink.report(StepReport(3, 3, 0, {"step": 2.0}, {}))
    assert series["rkd_stage_seconds job-1 evaluate"] == 0.0
    assert series["rkd_stage_seconds job-1 step"] == 2.0


def test_before_the_first_step_it_is_known_how_many_there_will_be(
    series: dict[str, float],
) -> None:
    RayMetricsSink("job-1", 8)
    assert series == {
        "rkd_steps_planned job-1": 8,
        "rkd_step_timestamp_seconds job-1": 1000.0,
    }


@pytest.mark.parametrize(
    ("type", "data", "last"),
    [
        ("changed", {"step": 5, "number": 1, "values": {"steps": 20}}, 20),
        ("changed", {"step": 5, "number": 1, "values": {"steps": 2}}, 5),
        ("changed", {"step": 5, "number": 1, "values": {"alpha": 0.5}}, 8),
        ("early_stop", {"step": 4, "reason": "solved"}, 4),
        ("log", {"message": "hello"}, 8),
    ],
)
def test_the_last_step_follows_changes_and_an_early_stop(
    series: dict[str, float], type: str, data: dict[str, object], last: int
) -> None:
    RayMetricsSink("job-1", 8).event(type, data)
    assert series["rkd_steps_planned job-1"] == last


def test_a_step_that_is_no_number_stops_no_job_and_is_said_once(
    series: dict[str, float], caplog: pytest.LogCaptureFixture
) -> None:
    sinks = Sinks([RayMetricsSink("job-1", 8)])
    for _ in range(3):
        sinks.event("early_stop", {"step": "four", "reason": "solved"})
        sinks.event("changed", {"step": None, "number": 1, "values": {"steps": 20}})
    assert series["rkd_steps_planned job-1"] == 8
    (said,) = caplog.records
    assert said.exc_text is not None
    assert said.exc_text.endswith("TypeError: a step is 'four': it has to be a whole number")
    sinks.event("early_stop", {"step": 4, "reason": "solved"})
    assert series["rkd_steps_planned job-1"] == 4


def test_every_gauge_shows_a_metric_that_there_is() -> None:
    assert set(STEP_GAUGES.values()) - set(METRICS) == set()
    for pattern in ROLE_GAUGES.values():
        assert {pattern.format(role=role) for role in ROLES} & set(METRICS)
    assert set(STEP_GAUGES) | set(ROLE_GAUGES) <= set(SERIES)
