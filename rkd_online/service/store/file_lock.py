"""One user at a time of a database that is a file."""

from collections.abc import Iterator
from contextlib import contextmanager

from rkd_online.errors import ServiceError
from rkd_online.locks import exclusive
from rkd_online.service.store.engine import sqlite_file


@contextmanager
def held(url: str) -> Iterator[None]:
    """Hold the lock of a SQLite file over the block: two control planes would both start its jobs.
    A server's database can have several."""
    file = sqlite_file(url)
    if file is None:
        yield
        return
    with exclusive(file.with_name(f"{file.name}.lock")) as free:
        if not free:
            raise ServiceError(
                f"another control plane uses the database {file}: stop it, or choose another "
                "folder with --data-dir or RKD_DATA_DIR"
            )
        yield
