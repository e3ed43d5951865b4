"""Examples about jobs and their events."""

from typing import Any, Final

JOB: Final = "job-01m86x99ydxzq1b3"
KEY: Final = "4n8q1zx70vbd"
SPEC: Final[dict[str, Any]] = {
    "version": 1,
    "name": "quickstart",
    "policy": {"model": "zoo:chain-sum/student"},
    "teacher": {"model": "zoo:chain-sum/teacher"},
    "task": {"type": "chain_sum"},
    "algorithm": {"type": "rlad"},
    "rollout": {"max_new_tokens": 64},
    "steps": 60,
}
REPORT: Final[dict[str, Any]] = {
    "step": 24,
    "version": 24,
    "staleness": 0,
    "timings": {"generate": 0.81, "score": 0.12, "update": 0.44, "step": 1.52},
    "metrics": {"reward/mean": 0.61, "policy/kl_teacher": 0.083},
}
RECORD: Final[dict[str, Any]] = {
    "id": JOB,
    "project": "research",
    "name": "quickstart",
    "labels": {"team": "reasoning"},
    "status": "running",
    "revision": 3,
    "priority": 10,
    "spec": SPEC,
    "changes": 0,
    "budget": {"wall_seconds": 7200.0},
    "spent": {"wall_seconds": 41.5, "tokens": 98304, "gpu_hours": 0.0},
    "created_at": "2026-03-01T12:00:00Z",
    "created_by": KEY,
    "started_at": "2026-03-01T12:00:09Z",
    "finished_at": None,
    "waiting": None,
    "attempt": 1,
    "losses": 0,
    "progress": {"steps": 60, "at": "2026-03-01T12:00:50Z", "report": REPORT},
    "checkpoint": {"attempt": 1, "step": 20, "path": "attempts/1/checkpoints/step-000020"},
    "error": None,
    "links": {
        "events": f"/v1/jobs/{JOB}/events",
        "stream": f"/v1/jobs/{JOB}/events/stream",
        "report": f"/v1/jobs/{JOB}/report",
        "metrics": f"/v1/jobs/{JOB}/metrics",
        "rollouts": f"/v1/jobs/{JOB}/rollouts",
        "checkpoints": f"/v1/jobs/{JOB}/checkpoints",
        "logs": f"/v1/jobs/{JOB}/logs",
        "data": f"/data/rkd/runs/{JOB}",
        "ray_dashboard": f"http://head:8265/#/jobs/rkd-{JOB}-1",
        "ray_actors": "http://head:8265/#/actors",
        "grafana": f"https://grafana.example/d/rkd-job?var-job={JOB}",
    },
}
QUEUED: Final[dict[str, Any]] = RECORD | {
    "status": "queued",
    "revision": 1,
    "spent": {"wall_seconds": 0.0, "tokens": 0, "gpu_hours": 0.0},
    "started_at": None,
    "attempt": 0,
    "progress": None,
    "checkpoint": None,
    "links": RECORD["links"] | {"ray_dashboard": None, "ray_actors": None},
}
EVENT: Final[dict[str, Any]] = {
    "number": 2,
    "at": "2026-03-01T12:00:00Z",
    "type": "waiting",
    "attempt": 0,
    "data": {"reason": "waits for a place: 1 jobs run, and max_running_jobs is 1"},
}
STREAM: Final = (
    'id: 3\nevent: status\ndata: {"number":3,"at":"2026-03-01T12:00:05Z","type":"status",'
    '"attempt":1,"data":{"status":"starting"}}\n\n'
    'event: end\ndata: {"status":"succeeded"}\n\n'
)

REQUESTS: Final[dict[str, dict[str, Any]]] = {
    "submit_job": {
        "The spec alone": SPEC,
        "With what the service is to know": SPEC
        | {
            "project": "research",
            "labels": {"team": "reasoning"},
            "priority": 10,
            "budget": {"wall_seconds": 7200},
        },
    },
    "validate_job": {"The spec alone": SPEC},
    "change_job": {
        "Another learning rate": {"learning_rate": 0.00001},
        "More steps, and a larger budget": {"steps": 120, "budget": {"wall_seconds": 14400}},
        "No budget": {"budget": None},
    },
    "report_events": {
        "A step": [{"number": 25, "type": "step", "data": REPORT}],
        "A heartbeat": [],
    },
}
ANSWERS: Final[dict[str, Any]] = {
    "submit_job": QUEUED,
    "list_jobs": {"object": "list", "data": [RECORD], "has_more": False, "next": None},
    "validate_job": {
        "spec": SPEC,
        "plan": "quickstart: rlad, 60 steps, seed 0",
        "cpus": 4.0,
        "gpus": 0.0,
        "verdict": {"fits": True, "detail": "needs 4 CPU; there is room for it now"},
    },
    "show_job": RECORD,
    "change_job": RECORD
    | {"revision": 4, "changes": 1, "spec": SPEC | {"optimizer": {"learning_rate": 0.00001}}},
    "cancel_job": RECORD | {"status": "stopping", "revision": 4},
    "pause_job": RECORD | {"status": "pausing", "revision": 4},
    "resume_job": RECORD | {"status": "queued", "revision": 6},
    "list_events": {"object": "list", "data": [EVENT], "has_more": True, "next": "2"},
    "stream_events": STREAM,
    "report_events": {"accepted": 1, "status": "running", "changes": None},
    "check_liveness": {"status": "ok", "version": "0.1.0"},
    "check_readiness": {"status": "ok", "version": "0.1.0"},
}
