"""Counts of what a transaction does, made when it is committed: what is undone did not happen."""

from collections.abc import Callable
from typing import Final, TypeAlias

from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.telemetry.recorder import Recorder

Count: TypeAlias = Callable[[Recorder], None]
COUNTS: Final = "counts"
"""Where a session that writes keeps them."""


def count(session: AsyncSession, made: Count) -> None:
    """Have something counted if the session's transaction is committed."""
    session.info[COUNTS].append(made)
