"""What a step's report becomes as Ray metrics; Ray itself is not started."""

import pytest

from rkd_online.cluster.metrics import RayMetricsSink
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
    return FakeGauge.series


def test_every_series_carries_its_job(series: dict[str, float]) -> None:
    metrics = {
        "reward/mean": 0.5,
        "policy/kl_teacher": 0.25,
        "policy/kl_reference": 0.125,
        "throughput/generator_tokens_per_second": 1000.0,
        "idle/scorer_share": 0.75,
        "policy/loss": -0.1,
    }
    RayMetricsSink("job-1").report(StepReport(3, 3, 1, {"update": 0.75, "step": 2.0}, metrics))
    assert series == {
        "rkd_step job-1": 3,
        "rkd_staleness_versions job-1": 1,
        "rkd_reward_mean job-1": 0.5,
        "rkd_kl_teacher_nats job-1": 0.25,
        "rkd_kl_reference_nats job-1": 0.125,
        "rkd_stage_seconds job-1 update": 0.75,
        "rkd_stage_seconds job-1 step": 2.0,
        "rkd_tokens_per_second job-1 generator": 1000.0,
        "rkd_idle_share job-1 scorer": 0.75,
    }


def test_a_stage_that_a_step_did_not_have_took_no_time(series: dict[str, float]) -> None:
    sink = RayMetricsSink("job-1")
    sink.report(StepReport(2, 2, 0, {"step": 5.0, "evaluate": 3.0}, {}))
    sink.report(StepReport(3, 3, 0, {"step": 2.0}, {}))
    assert series["rkd_stage_seconds job-1 evaluate"] == 0.0
    assert series["rkd_stage_seconds job-1 step"] == 2.0
