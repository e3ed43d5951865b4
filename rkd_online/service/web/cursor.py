"""Opaque cursors of list pages."""

import base64
import binascii
import json
from datetime import datetime

from rkd_online.service.store.position import Position
from rkd_online.service.web.problems import ApiError


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
        position = datetime.fromisoformat(moment), str(entry_id)
        if position[0].tzinfo is None:
            raise ValueError("it has no time zone")
        return position
    except (binascii.Error, ValueError, TypeError) as error:
        raise ApiError(
            422, "invalid_cursor", f"after={cursor!r} is not the `next` of an earlier page"
        ) from error
