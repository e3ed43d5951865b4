"""Time, handed in so that tests can set it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Now: TypeAlias = Callable[[], datetime]


def utc_now() -> datetime:
    """The current time with its zone."""
    return datetime.now(UTC)
