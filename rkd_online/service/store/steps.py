"""Numbers of the steps that runs reported. The database takes them out of the reports: to parse
all reports of a long job here would take many times as long."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from sqlalchemy import Row, Select, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.store.dialect import on_sqlite
from rkd_online.service.store.tables import EventRow

ROWS_AT_ONCE: Final = 1000
MOST_NAMES: Final = 2000
"""A run names a few dozen metrics; whatever it sends, a list of them ends."""


async def first_steps(session: AsyncSession, job_id: str) -> dict[int, float]:
    """The first step that each attempt reported."""
    first = (
        select(func.min(EventRow.number))
        .where(EventRow.job_id == job_id, EventRow.type == "step")
        .group_by(EventRow.attempt)
    )
    query = select(EventRow.attempt, EventRow.data["step"].as_string()).where(
        EventRow.job_id == job_id, EventRow.number.in_(first)
    )
    return {attempt: float(step) for attempt, step in await session.execute(query)}


async def metric_names(session: AsyncSession, job_id: str) -> list[str]:
    """Every metric that any step reported, sorted."""
    if on_sqlite(session):
        metric = func.json_each(EventRow.data, "$.metrics").table_valued("key", name="metric")
    else:
        keys = func.jsonb_object_keys(EventRow.data["metrics"])
        metric = keys.table_valued("key", name="metric").render_derived()
    query = (
        select(metric.c.key)
        .distinct()
        .select_from(EventRow)
        .join(metric, true())
        .where(EventRow.job_id == job_id, EventRow.type == "step")
        .limit(MOST_NAMES)
    )
    return sorted((await session.scalars(query)).all())


async def values(
    session: AsyncSession, job_id: str, names: Sequence[str]
) -> AsyncIterator[Sequence[Row[Any]]]:
    """Attempt, step and these metrics of every report, in the order in which they came; None for
    what a report lacks. ``names`` hold no quotes: SQLite has no way to write one in a path."""
    query = _from_sqlite(job_id, names) if on_sqlite(session) else _from_server(job_id, names)
    found = await session.stream(query.execution_options(yield_per=ROWS_AT_ONCE))
    async for rows in found.partitions():
        yield rows


def _from_sqlite(job_id: str, names: Sequence[str]) -> Select[Any]:
    metrics = [func.json_extract(EventRow.data, f'$.metrics."{name}"') for name in names]
    return (
        select(EventRow.attempt, EventRow.data["step"].as_string(), *metrics)
        .where(EventRow.job_id == job_id, EventRow.type == "step")
        .order_by(EventRow.number)
    )


def _from_server(job_id: str, names: Sequence[str]) -> Select[Any]:
    """A report is stored compressed, and each mention of it would unpack it again. OFFSET keeps
    the two levels apart, so that it is unpacked once."""
    report = (
        select(
            EventRow.number,
            EventRow.attempt,
            EventRow.data["step"].as_string().label("step"),
            EventRow.data["metrics"].label("metrics"),
        )
        .where(EventRow.job_id == job_id, EventRow.type == "step")
        .offset(0)
        .subquery()
    )
    metrics = [report.c.metrics[name].as_string() for name in names]
    return select(report.c.attempt, report.c.step, *metrics).order_by(report.c.number)
