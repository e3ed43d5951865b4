"""Opaque cursors of list pages."""

import base64
import binascii
import json
import re
from datetime import UTC, datetime
from typing import Final

from rkd_online.service.store.position import Position
from rkd_online.service.web.problems import ApiError

ID: Final = re.compile(r"[A-Za-z0-9-]{1,40}")
"""Ids of jobs and of keys."""


def cursor_of(created_at: datetime, entry_id: str) -> str:
    """The cursor behind an entry."""
    text = json.dumps([created_at.isoformat(), entry_id])
    return base64.urlsafe_b64encode(text.encode()).decode()


def parse_cursor(cursor: str | None) -> Position | None:
    """Where a cursor points; None for the beginning of the list."""
    if cursor is None:
        return None
    try:
        moment, entry_id = json.loads(base64.urlsafe_b64decode(cursor))
        found = datetime.fromisoformat(moment)
        if found.tzinfo is None or not ID.fullmatch(entry_id):
            raise ValueError("it is none of ours")
        return found.astimezone(UTC), entry_id
    except (binascii.Error, OverflowError, ValueError, TypeError) as error:
        raise ApiError(
            422, "invalid_cursor", f"after={cursor!r} is not the `next` of an earlier page"
        ) from error
