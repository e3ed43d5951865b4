"""The first key: whoever can read the data folder administers the service."""

import os
from pathlib import Path

from rkd_online.service.access.keys import FIRST_KEY, Digests, new_key
from rkd_online.service.access.scope import Scope
from rkd_online.service.clock import Now
from rkd_online.service.store import keys
from rkd_online.service.store.engine import Database


async def ensure_first_key(
    database: Database, digests: Digests, folder: Path, now: Now
) -> Path | None:
    """Make a key for all projects where the service has none; the file it lies in, if it was made.

    The file is written first: a key that nobody can read would be one that nobody can use.
    """
    async with database.write() as session:
        if await keys.any_key(session):
            return None
        key, file = new_key(), folder / FIRST_KEY
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(f"{key}\n")
        await keys.insert(
            session,
            key.id,
            digests.of(str(key)),
            name="first administrator",
            project=None,
            scope=Scope.ADMIN,
            now=now(),
        )
    return file
