"""Says what is wrong with a run, from its step reports: each warning once when it begins, and again
only where it was over in between.

All that it knows are the reports. So a resumed run that is given the earlier ones goes on as if it
had not been cut, and the report of a job has the warnings of all its attempts.
"""

import logging
from collections.abc import Iterable

from rkd_online.evaluation.report import Warned
from rkd_online.metrics.sinks import Sink
from rkd_online.run.advice.history import History, Seen
from rkd_online.run.advice.rule import Rule
from rkd_online.run.advice.rules import rules_of
from rkd_online.spec.job import JobSpec
from rkd_online.types import StepReport

log = logging.getLogger(__name__)


class Adviser:
    """Feed it the reports of the steps in turn."""

    def __init__(self, spec: JobSpec) -> None:
        self._phases = spec.phases_in_turn
        self._phased = bool(spec.phases)
        self._rules = rules_of(spec)
        self._history = History()
        self._going_on: set[str] = set()

    def hear(self, report: StepReport) -> list[Warned]:
        """The warnings that begin with this step."""
        try:
            return self._heard(report)
        except Exception:  # a job is worth more than what there is to say of it
            log.exception("step %d gets no advice; the job goes on", report.step)
            return []

    def _heard(self, report: StepReport) -> list[Warned]:
        self._history.add(report.metrics)
        phase = int(report.metrics.get("phase/index", 0))
        field = f"phases.{phase}.algorithm" if self._phased else "algorithm"
        found = []
        for rule in self._rules:
            seen = Seen(self._history, rule.metric, rule.window, self._phases[phase].algorithm)
            if rule.metric in report.metrics and self._begins(rule, seen):
                message = rule.says.format(value=rule.value(seen), seen=seen, field=field)
                found.append(Warned(step=report.step, name=rule.name, message=message))
        return found

    def _begins(self, rule: Rule, seen: Seen) -> bool:
        if not self._history.has(rule.metric, rule.needs):
            return False
        value = rule.value(seen)
        if rule.name in self._going_on:
            if rule.over(value):
                self._going_on.remove(rule.name)
            return False
        if not rule.bad(value) or any(holds(seen) for holds in rule.unless):
            return False
        self._going_on.add(rule.name)
        return True


class AdviceSink:
    """Hears the steps of an attempt and hands on the warnings. As any sink it never stops a job."""

    def __init__(self, spec: JobSpec, earlier: Iterable[StepReport], sink: Sink) -> None:
        """``earlier`` are the reports of the steps before, of which all was said."""
        self._adviser = Adviser(spec)
        self._sink = sink
        for report in earlier:
            self._adviser.hear(report)

    def report(self, report: StepReport) -> None:
        """Say what is wrong since this step."""
        for one in self._adviser.hear(report):
            self._sink.event("warning", one.model_dump())

    def event(self, type: str, data: dict[str, object]) -> None:
        """Events say nothing of how training goes."""

    def close(self) -> None:
        """Nothing is held open."""


def said(spec: JobSpec, reports: Iterable[StepReport]) -> list[Warned]:
    """All warnings of a job that reported these steps."""
    adviser = Adviser(spec)
    return [one for report in reports for one in adviser.hear(report)]
