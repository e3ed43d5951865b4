"""The control plane under load, on both databases, on loopback."""

import asyncio
from typing import Final

from benchmarks.results import Figure, Goal, Result, Row, result
from benchmarks.service.load import list_seconds, read_together, submit_many
from benchmarks.service.server import DATABASES, Served, served

FEW, MANY, READERS, LISTS = 100, 10_000, 500, 60
LEAST_SUBMISSIONS: Final = 200


def measure() -> Result:
    """Submissions, lists and readers, one database after the other."""
    rows: list[Row] = []
    for database in DATABASES:
        with served(database) as plane:
            rows += asyncio.run(_measure(database, plane))
    notes = [
        "Server and clients share the machine's two cores, so the server alone would do more. Each "
        "submission is checked as any other, carries an Idempotency-Key, and is committed with its "
        "first event, its audit entry and its kept answer. Lists are pages of 20 jobs. Readers "
        "open their streams before the job's events are written; memory is what the process of the "
        "server grew by until all were open."
    ]
    return result("service", "The control plane under load", rows, notes)


async def _measure(database: str, plane: Served) -> list[Row]:
    await submit_many(plane, FEW)
    few = await list_seconds(plane, LISTS)
    rate = await submit_many(plane, MANY - FEW)
    many = await list_seconds(plane, LISTS)
    read = await read_together(plane, READERS)
    submissions: Row = Figure(what=f"{database}: submissions", value=rate, unit="per second")
    if database == "SQLite":
        submissions = Goal(
            what=f"{database}: submissions",
            value=rate,
            unit="per second",
            bound="at least",
            limit=LEAST_SUBMISSIONS,
        )
    return [
        submissions,
        Figure(what=f"{database}: a page of {FEW} jobs", value=few * 1000, unit="ms"),
        Goal(
            what=f"{database}: a page of {MANY:,} jobs, times that of {FEW}",
            value=many / few,
            unit="times",
            bound="at most",
            limit=1.3,
        ),
        Goal(
            what=f"{database}: {READERS} readers of one job who had every event once",
            value=read.whole,
            unit="readers",
            bound="at least",
            limit=READERS,
        ),
        Figure(what=f"{database}: memory of a reader", value=read.kib_each, unit="KiB"),
        Figure(
            what=f"{database}: from the last event to the last reader's end",
            value=read.last_seconds,
            unit="s",
        ),
    ]
