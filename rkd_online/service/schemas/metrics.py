"""Metrics of a job as the API answers them."""

from rkd_online.service.schemas.answer import Answer


class Series(Answer):
    """A metric over the steps, as columns of equal length: neighbouring steps share a point where
    there are more than were asked for."""

    exact: bool
    """Whether each point is one step, as it was reported."""
    step: list[int]
    """First step of each point; steps at which the metric was not reported are in none."""
    last_step: list[int]
    """Its last step: the same where the series is exact."""
    mean: list[float]
    """Mean of its values."""
    min: list[float]
    """The least of them."""
    max: list[float]
    """The largest of them."""


class MetricRecord(Answer):
    """A metric that the steps of a job report."""

    name: str
    """Its name, as in the step reports."""
    unit: str
    """Its unit; empty where there is none, or this version does not know the metric."""
    description: str
    """What it says; empty where this version does not know the metric."""
    series: Series | None
    """Its values; null where only the names were asked for."""


class Metrics(Answer):
    """Metrics of a job."""

    data: list[MetricRecord]
    """In the order in which they were asked for; all that there are by name where none was."""
