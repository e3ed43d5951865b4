"""Answers to requests that carry an idempotency key, kept for a day."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import BindParameter, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.store.access_tables import AnswerRow
from rkd_online.service.store.columns import Base
from rkd_online.service.store.dialect import on_sqlite

KEPT: Final = timedelta(hours=24)
_TABLE: Final = Base.metadata.tables[AnswerRow.__tablename__]
_OWNER: Final[BindParameter[str]] = bindparam("its_owner")
_KEY: Final[BindParameter[str]] = bindparam("its_key")


def _claiming(insert: Any) -> Any:
    """Made once: making a statement costs more than running it."""
    new = {"request_sha256": bindparam("sha256"), "created_at": bindparam("now"), "status": 0}
    statement = insert(_TABLE).values(owner=_OWNER, key=_KEY, headers={}, body="", **new)
    again = statement.on_conflict_do_update(
        index_elements=[_TABLE.c.owner, _TABLE.c.key],
        set_=new,
        where=_TABLE.c.created_at < bindparam("oldest"),
    )
    return again.returning(_TABLE.c.key)


_CLAIMS: Final = {True: _claiming(insert_sqlite), False: _claiming(insert_postgresql)}
"""By whether the database is SQLite."""
_KEEP: Final = (
    update(_TABLE)
    .where(_TABLE.c.owner == _OWNER, _TABLE.c.key == _KEY)
    .values(
        status=bindparam("its_status"),
        headers=bindparam("its_headers"),
        body=bindparam("its_body"),
    )
)


async def claim(
    session: AsyncSession, owner: str, key: str, request_sha256: str, now: datetime
) -> bool:
    """Whether this request is the first with its key, or the first after a day. One that comes
    while the first is under way waits here for the end of the first one's transaction."""
    given = {"its_owner": owner, "its_key": key, "sha256": request_sha256}
    times = {"now": now, "oldest": now - KEPT}
    claimed = _CLAIMS[on_sqlite(session)]
    return (await session.execute(claimed, given | times)).first() is not None


async def keep(
    session: AsyncSession, owner: str, key: str, status: int, headers: dict[str, str], body: str
) -> None:
    """What a request that was claimed is answered with."""
    answer = {"its_status": status, "its_headers": headers, "its_body": body}
    await session.execute(_KEEP, {"its_owner": owner, "its_key": key} | answer)


async def find(session: AsyncSession, owner: str, key: str) -> AnswerRow | None:
    """The answer that was given."""
    query = select(AnswerRow).where(AnswerRow.owner == owner, AnswerRow.key == key)
    return await session.scalar(query)


async def forget(session: AsyncSession, now: datetime) -> None:
    """Drop the answers that are too old to be given again."""
    await session.execute(delete(AnswerRow).where(AnswerRow.created_at < now - KEPT))
