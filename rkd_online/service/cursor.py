"""Opaque cursors of list pages."""

import base64
import binascii
import json
from datetime import datetime

from rkd_online.service.problems import ApiError
from rkd_online.service.store.jobs import Cursor
from rkd_online.service.store.models import JobRow


def cursor_of(job: JobRow) -> str:
    """The cursor behind a job."""
    text = json.dumps([job.created_at.isoformat(), job.id])
    return base64.urlsafe_b64encode(text.encode()).decode()


def parse_cursor(cursor: str) -> Cursor:
    """Where a cursor points."""
    try:
        moment, job_id = json.loads(base64.urlsafe_b64decode(cursor))
        return datetime.fromisoformat(moment), str(job_id)
    except (binascii.Error, ValueError, TypeError) as error:
        raise ApiError(
            422, "invalid_cursor", f"after={cursor!r} is not the `next` of an earlier page"
        ) from error
