"""The schema's version: brought up to date, or refused."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from rkd_online.errors import ServiceError
from rkd_online.service.store.dialect import Lock, hold
from rkd_online.service.store.engine import is_sqlite, new_engine


async def upgrade(url: str) -> tuple[str, str]:
    """Bring the schema to this version's; its revision before, empty where there was none, and
    after. Raises ServiceError for a schema that this version does not know."""
    engine = new_engine(url, foreign_keys=False)
    try:
        async with engine.begin() as connection:
            if not is_sqlite(url):
                await hold(connection, Lock.UPGRADE)
            before = await connection.run_sync(_revision)
            await connection.run_sync(_upgrade, url)
            await _check_references(connection)
            return before, await connection.run_sync(_revision)
    finally:
        await engine.dispose()


async def check(url: str) -> None:
    """Raise ServiceError unless the schema is this version's."""
    engine = new_engine(url)
    try:
        async with engine.connect() as connection:
            found = await connection.run_sync(_revision)
    finally:
        await engine.dispose()
    head = ScriptDirectory.from_config(config()).get_current_head()
    if found == head:
        return
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if found and found not in known:
        raise _unknown(url, f"revision {found}")
    has = f"is at schema revision {found}" if found else "has no schema yet"
    raise ServiceError(
        f"database {shown(url)} {has}, and this version needs {head}: stop what uses it and run "
        "`rkd db upgrade` with the same RKD_DATABASE_URL"
    )


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration."""
    made = Config()
    made.set_main_option("script_location", "rkd_online.service:migrations")
    made.attributes["connection"] = connection
    return made


def _revision(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""


def _upgrade(connection: Connection, url: str) -> None:
    try:
        command.upgrade(config(connection), "head")
    except CommandError as error:
        raise _unknown(url, str(error)) from error


async def _check_references(connection: AsyncConnection) -> None:
    """SQLite did not look after them while its tables were made anew."""
    if connection.dialect.name == "sqlite":
        broken = (await connection.execute(text("PRAGMA foreign_key_check"))).all()
        if broken:
            raise ServiceError(
                f"the upgrade would break references of {broken[:3]}: nothing is done"
            )


def _unknown(url: str, what: str) -> ServiceError:
    return ServiceError(
        f"database {shown(url)} has a schema that this version does not know ({what}): run the "
        "version that wrote it, or point RKD_DATABASE_URL at another database"
    )


def shown(url: str) -> str:
    """A database's URL without its password."""
    return make_url(url).render_as_string(hide_password=True)
