"""The first key: whoever gave it, or can read the data folder, administers the service."""

import logging
import os
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.access.keys import FIRST_KEY, Digests, NewKey, new_key
from rkd_online.service.access.scope import Scope
from rkd_online.service.clock import Now
from rkd_online.service.store import keys
from rkd_online.service.store.engine import Database

log = logging.getLogger(__name__)


async def ensure_first_key(
    database: Database, digests: Digests, folder: Path, given: NewKey | None, now: Now
) -> None:
    """Make a key for all projects where the service has none: the one that is given, else a new
    one, which is left in a file.

    The file is written first: a key that nobody can read would be one that nobody can use.
    """
    async with database.write() as session:
        await keys.lock_first(session)
        if await keys.any_key(session):
            await _tell_unused(session, digests, given)
            return
        file = folder / FIRST_KEY
        file.unlink(missing_ok=True)
        key = given or _left_in(file)
        await keys.insert(
            session,
            key.id,
            digests.of(str(key)),
            name="first administrator",
            project=None,
            scope=Scope.ADMIN,
            now=now(),
        )
    where = "it is RKD_FIRST_KEY" if given else f"it lies in {file}"
    log.info("made a first key for all projects: %s", where)


def _left_in(file: Path) -> NewKey:
    key = new_key()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(f"{key}\n")
    return key


async def _tell_unused(session: AsyncSession, digests: Digests, given: NewKey | None) -> None:
    """Who gives a key expects it to be good. One that was made and is revoked by now was known."""
    if given is None:
        return
    row = await keys.find(session, given.id)
    if row is None or not digests.match(str(given), row.digest):
        log.warning(
            "RKD_FIRST_KEY is no key of this database, which has others: it makes one only where "
            "there is none"
        )
