"""Examples about projects, keys and the audit."""

from typing import Any, Final

from rkd_online.service.web.examples.jobs import JOB, KEY

QUOTA: Final[dict[str, Any]] = {"max_active_jobs": 2, "max_queued_jobs": 20, "max_gpus": 16.0}
PROJECT: Final[dict[str, Any]] = {
    "id": "research",
    "created_at": "2026-03-01T09:00:00Z",
    "revision": 1,
    "quota": QUOTA,
    "usage": {"active_jobs": 1, "queued_jobs": 3, "gpus": 8.0},
}
COLLEAGUE: Final[dict[str, Any]] = {
    "id": KEY,
    "name": "ada's laptop",
    "project": "research",
    "scope": "submitter",
    "created_at": "2026-03-01T09:05:00Z",
    "created_by": "0c2wd9k5tm3h",
    "expires_at": "2026-09-01T00:00:00Z",
    "last_used_at": None,
    "revoked_at": None,
}
SECRET: Final = f"rkd_{KEY}_" + "0123456789abcdefghjkmnpqrstvwxyz0123456789abcdefghjk"
SUCCESSOR: Final = "7c3m5hw2pd9f"

REQUESTS: Final[dict[str, dict[str, Any]]] = {
    "make_project": {
        "With limits": {"id": "research", "quota": QUOTA},
        "Without limits": {"id": "research"},
    },
    "change_project": {"New limits, all of them": {"quota": QUOTA | {"max_active_jobs": 4}}},
    "make_key": {
        "For a colleague": {
            "name": "ada's laptop",
            "project": "research",
            "scope": "submitter",
            "expires_at": "2026-09-01T00:00:00Z",
        }
    },
}
ANSWERS: Final[dict[str, Any]] = {
    "make_project": PROJECT | {"usage": {"active_jobs": 0, "queued_jobs": 0, "gpus": 0.0}},
    "list_projects": {"object": "list", "data": [PROJECT], "has_more": False, "next": None},
    "show_project": PROJECT,
    "change_project": PROJECT | {"revision": 2, "quota": QUOTA | {"max_active_jobs": 4}},
    "make_key": COLLEAGUE | {"key": SECRET},
    "list_keys": {"object": "list", "data": [COLLEAGUE], "has_more": False, "next": None},
    "show_key": COLLEAGUE | {"last_used_at": "2026-03-01T12:00:00Z"},
    "rotate_key": COLLEAGUE | {"id": SUCCESSOR, "key": SECRET.replace(KEY, SUCCESSOR)},
    "revoke_key": COLLEAGUE | {"revoked_at": "2026-03-02T08:00:00Z"},
    "list_audit": {
        "object": "list",
        "data": [
            {
                "number": 17,
                "at": "2026-03-01T12:30:00Z",
                "actor": KEY,
                "project": "research",
                "action": "job.change",
                "target": JOB,
                "address": "10.0.0.7",
                "request_id": "req-5a2c9d0e1f3b4876",
                "data": {"learning_rate": 0.00001},
            }
        ],
        "has_more": True,
        "next": "17",
    },
    "who_am_i": {"id": KEY, "name": "ada's laptop", "project": "research", "scope": "submitter"},
}
