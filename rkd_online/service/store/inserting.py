"""New rows by the shortest way, for what every submission writes: the session tracks none of them,
and has no flush to plan."""

from functools import cache

from sqlalchemy import Insert, Table, insert
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.store.columns import Base


async def write(session: AsyncSession, row: Base) -> None:
    """Insert a row at once. What it leaves out gets the column's default, in the database alone."""
    table, statement = _insert(type(row))
    given = vars(row)
    values = {one.key: given[one.key] for one in table.c if given.get(one.key) is not None}
    await session.execute(statement, values)


@cache
def _insert(kind: type[Base]) -> tuple[Table, Insert]:
    """Inline: nothing asks for a number that the database chose."""
    table = Base.metadata.tables[kind.__tablename__]
    return table, insert(table).inline()
