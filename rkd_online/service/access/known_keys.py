"""Keys as they were read last. Only one process changes a file's keys: there nothing has to be read
twice until one is changed. Beside a server's database each request reads its key."""

from rkd_online.service.bell import Bell
from rkd_online.service.store import keys
from rkd_online.service.store.access_tables import KeyRow
from rkd_online.service.store.engine import Database


class KnownKeys:
    """Rows by id, dropped when a key of this process is changed."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell
        self._rows: dict[str, KeyRow] = {}
        self._changes = bell.key_changes

    async def find(self, key_id: str) -> KeyRow | None:
        """The key, for reading."""
        if self._changes != self._bell.key_changes:
            self._rows, self._changes = {}, self._bell.key_changes
        if key_id in self._rows:
            return self._rows[key_id]
        changes = self._changes
        async with self._database.read() as session:
            row = await keys.find(session, key_id)
        if row is not None and self._database.is_sqlite and changes == self._bell.key_changes:
            self._rows[key_id] = row
        return row
