"""Step reports as Ray metrics, for the dashboard and for Prometheus."""

import time
from collections.abc import Mapping

from ray.util.metrics import Gauge

from rkd_online.metrics.run_series import ROLE_GAUGES, ROLES, SERIES, STEP_GAUGES
from rkd_online.types import StepReport


class RayMetricsSink:
    """Sets every gauge that a step has a value for. A gauge keeps the value of the last step that
    had one."""

    def __init__(self, job: str, steps: int) -> None:
        """``steps`` are those that the job is to do."""
        self._tags = {"job": job}
        self._gauges = {
            name: Gauge(name, description=series.meaning, tag_keys=series.labels)
            for name, series in SERIES.items()
        }
        self._stages: set[str] = set()
        self._set("rkd_steps_planned", steps)
        self._set("rkd_step_timestamp_seconds", time.time())

    def report(self, report: StepReport) -> None:
        """Show a step."""
        self._set("rkd_step", report.step)
        self._set("rkd_step_timestamp_seconds", time.time())
        self._set("rkd_staleness_versions", report.staleness)
        self._show_stages(report.timings)
        for name, metric in STEP_GAUGES.items():
            if metric in report.metrics:
                self._set(name, report.metrics[metric])
        for name, pattern in ROLE_GAUGES.items():
            for role in ROLES:
                value = report.metrics.get(pattern.format(role=role))
                if value is not None:
                    self._set(name, value, role=role)

    def event(self, type: str, data: Mapping[str, object]) -> None:
        """Of events, those that say which step is the last."""
        if type == "early_stop":
            self._set("rkd_steps_planned", _step(data["step"]))
        elif type == "changed":
            values = data["values"]
            if isinstance(values, Mapping) and "steps" in values:
                # Where fewer steps are asked for than are done, the one that was done is the last.
                last = max(_step(values["steps"]), _step(data["step"]))
                self._set("rkd_steps_planned", last)

    def close(self) -> None:
        """Ray ends its series with the process."""

    def _set(self, name: str, value: float, **tags: str) -> None:
        self._gauges[name].set(value, self._tags | tags)

    def _show_stages(self, seconds: Mapping[str, float]) -> None:
        # A stage that this step did not have would show an older step's time.
        self._stages |= seconds.keys()
        for stage in self._stages:
            self._set("rkd_stage_seconds", seconds.get(stage, 0.0), stage=stage)


def _step(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a step is {value!r}: it has to be a whole number")
    return value
