"""Examples of problems, by status and by what a route is about."""

from http import HTTPStatus
from typing import Any, Final

from rkd_online.service.web.examples.access import COLLEAGUE, PROJECT
from rkd_online.service.web.examples.jobs import JOB, KEY

REQUEST_ID: Final = "req-5a2c9d0e1f3b4876"
WRONG: Final = [
    {
        "field": "rollout.group_size",
        "message": "found 1, should be greater than or equal to 2",
        "value": 1,
    }
]
WORDS: Final[dict[int, tuple[str, str, dict[str, Any]]]] = {
    401: ("missing_key", "this needs an API key: send `Authorization: Bearer rkd_...`", {}),
    403: (
        "scope_too_small",
        f"this needs the scope admin, and key {KEY} ({COLLEAGUE['name']}) has submitter",
        {},
    ),
    404: ("job_not_found", f"there is no job {JOB!r}", {}),
    409: (
        "illegal_transition",
        "a job that is succeeded cannot become cancelled",
        {"current_status": "succeeded"},
    ),
    412: (
        "revision_changed",
        f'{JOB} is at revision "4", and If-Match is "3": read it again',
        {},
    ),
    413: ("body_too_large", "the body is larger than 1048576 bytes", {}),
    422: (
        "invalid_request",
        "rollout.group_size found 1, should be greater than or equal to 2",
        {"errors": WRONG},
    ),
    428: ("revision_required", f"send If-Match with the ETag of {JOB} as you read it", {}),
    429: ("too_many_requests", f"key {KEY} has made 1200 requests in a minute: wait 12 s", {}),
    500: (
        "internal_error",
        "the control plane hit an error; its log has it under this request id",
        {},
    ),
    501: (
        "rollouts_need_pyarrow",
        "reading rollouts needs pyarrow: install it beside the control plane",
        {},
    ),
    503: ("database_away", "the database does not answer (OperationalError)", {}),
}
"""Code, detail and other members."""
BY_TAG: Final[dict[tuple[str, int], tuple[str, str, dict[str, Any]]]] = {
    ("keys", 404): ("key_not_found", f"there is no key {KEY!r}", {}),
    ("keys", 409): ("key_revoked", f"key {KEY} is revoked: make a new one", {}),
    ("projects", 404): ("project_not_found", f"there is no project {PROJECT['id']!r}", {}),
    ("projects", 409): ("project_exists", f"there is a project {PROJECT['id']!r} already", {}),
    ("audit", 404): ("project_not_found", f"there is no project {PROJECT['id']!r}", {}),
    ("results", 503): (
        "cluster_unavailable",
        "Ray is not reachable at http://head:8265 (ConnectError)",
        {},
    ),
    ("runs", 401): ("wrong_token", f"this is not the token of attempt 1 of {JOB}", {}),
    ("runs", 409): (
        "stale_attempt",
        f"attempt 1 of {JOB} reports, but attempt 2 has begun",
        {},
    ),
}


def problem(tag: str, status: int) -> dict[str, Any]:
    """A problem that a route with the tag can answer with."""
    code, detail, more = BY_TAG.get((tag, status)) or WORDS[status]
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "errors": [],
        "request_id": REQUEST_ID,
        **more,
    }
