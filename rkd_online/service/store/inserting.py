"""New rows by the shortest way, for what every submission writes: the session tracks none of them,
and has no flush to plan."""

from functools import cache
from typing import Any

from sqlalchemy import Insert, Table, insert
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.store.columns import Base


async def write(session: AsyncSession, row: Base) -> None:
    """Insert a row at once. What it leaves out gets the column's default, in the database alone."""
    table = _table(type(row))
    values = {name: value for name in table.c.keys() if (value := _given(row, name)) is not None}  # noqa: SIM118
    await session.execute(_insert(table), values)


@cache
def _table(kind: type[Base]) -> Table:
    return Base.metadata.tables[kind.__tablename__]


@cache
def _insert(table: Table) -> Insert:
    """Inline: nothing asks for a number that the database chose."""
    return insert(table).inline()


def _given(row: Base, name: str) -> Any:
    return row.__dict__.get(name)
