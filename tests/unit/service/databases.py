"""Fresh databases with this version's schema, made by copying one: migrating takes longer."""

import asyncio
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from rkd_online.service.store import schema
from tests.postgres import create

NewDatabase: TypeAlias = Callable[[Path], str]
"""Makes a database, in the folder where it is a file, and returns its URL."""


def sqlite_databases(folder: Path) -> NewDatabase:
    template = folder / "template.db"
    asyncio.run(schema.upgrade(f"sqlite+aiosqlite:///{template}"))

    def new(folder: Path) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(template, folder / "rkd.db")
        return f"sqlite+aiosqlite:///{folder / 'rkd.db'}"

    return new


def postgres_databases(server: str) -> NewDatabase:
    numbers = itertools.count()
    asyncio.run(create(server, "template_rkd"))
    asyncio.run(schema.upgrade(f"{server}/template_rkd"))

    def new(folder: Path) -> str:
        name = f"rkd_{next(numbers)}"
        asyncio.run(create(server, name, template="template_rkd"))
        return f"{server}/{name}"

    return new
