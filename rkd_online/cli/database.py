"""``rkd db``: the control plane's database."""

import asyncio
from importlib.util import find_spec
from typing import Annotated

import typer

from rkd_online.cli.connection import DEFAULT_DATA
from rkd_online.cli.documents import show_document
from rkd_online.cli.hints import examples
from rkd_online.cli.lines import say
from rkd_online.cli.options import AsJson
from rkd_online.cli.server import DataDir, settings_of
from rkd_online.errors import ServiceError

app = typer.Typer(help="The control plane's database.", no_args_is_help=True)
DatabaseUrl = Annotated[
    str,
    typer.Option(
        envvar="RKD_DATABASE_URL",
        metavar="URL",
        help="SQLAlchemy URL of the database; empty is SQLite in the data folder.",
        show_default=False,
    ),
]


@app.callback()
def _group() -> None:
    """Without this a group of one command would be that command."""


@app.command(
    epilog=examples(
        "rkd db upgrade --data-dir /data/rkd",
        "rkd db upgrade --database-url postgresql+asyncpg://rkd@db/rkd",
    )
)
def upgrade(
    database_url: DatabaseUrl = "", data_dir: DataDir = DEFAULT_DATA, as_json: AsJson = False
) -> None:
    """Bring the database's schema to this version's.

    Stop every control plane that uses it first; a SQLite database that one uses is refused.
    """
    if not database_url and not data_dir.is_dir():
        raise ServiceError(
            f"there is no data folder {data_dir}: name the one of `rkd serve` with --data-dir, or "
            "the database with --database-url"
        )
    if database_url.startswith("postgresql") and find_spec("asyncpg") is None:
        raise ServiceError("PostgreSQL needs asyncpg: install the extra postgres of rkd-online")
    url = settings_of(database_url=database_url, data_dir=data_dir).database
    shown, before, after = _upgrade(url)
    if as_json:
        show_document({"database": shown, "before": before or None, "after": after})
    elif before == after:
        say(f"{shown} is at revision {after} already")
    else:
        say(f"{shown} went from {f'revision {before}' if before else 'nothing'} to {after}")


def _upgrade(url: str) -> tuple[str, str, str]:
    """The database without its password, and its revisions before and after."""
    from sqlalchemy.exc import SQLAlchemyError

    from rkd_online.service.store import schema
    from rkd_online.service.store.file_lock import held

    shown = schema.shown(url)
    try:
        with held(url):
            before, after = asyncio.run(schema.upgrade(url))
    except (OSError, SQLAlchemyError) as error:
        raise ServiceError(f"{shown} cannot be used: {error}") from error
    return shown, before, after
