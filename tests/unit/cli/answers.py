"""What a control plane answers, as a test sets it."""

import json
from typing import Any

import httpx

JOB = "job-01m86x99ydxzq1b3"


def record(status: str, *, step: int = 0, error: str | None = None, **changes: Any) -> Any:
    """A job as the API shows it."""
    report = {"step": step, "version": step, "staleness": 0, "timings": {}, "metrics": {}}
    progress = {"steps": 60, "at": "2026-03-01T12:00:00Z", "report": report} if step else None
    places = ("events", "stream", "report", "metrics", "rollouts", "checkpoints", "logs")
    links = {**dict.fromkeys(places, ""), "data": "/nowhere", "ray_dashboard": None}
    links |= {"ray_actors": None, "grafana": None}
    return {
        "id": JOB,
        "project": "default",
        "name": "quickstart",
        "labels": {},
        "status": status,
        "revision": 1,
        "priority": 0,
        "spec": {"steps": 60},
        "changes": 0,
        "budget": None,
        "spent": {"wall_seconds": 0.0, "tokens": 0, "gpu_hours": 0.0},
        "created_at": "2026-03-01T12:00:00Z",
        "created_by": None,
        "started_at": None,
        "finished_at": None,
        "waiting": None,
        "attempt": 0,
        "losses": 0,
        "progress": progress,
        "checkpoint": None,
        "error": error,
        "links": links,
    } | changes


def page(*records: Any, more: bool = False) -> Any:
    """A page of the list of jobs."""
    return {"data": records, "has_more": more, "next": "x" if more else None}


def stream(*events: tuple[str, dict[str, Any]], end: str) -> str:
    """Events as a stream, whose last message is how the job ended."""
    parts = []
    for number, (kind, data) in enumerate(events, 1):
        event = {"number": number, "at": "2026-03-01T12:00:00Z", "type": kind, "attempt": 1}
        parts.append(f"id: {number}\r\nevent: {kind}\r\n{_data(event | {'data': data})}")
    return "".join([*parts, f"event: end\r\n{_data({'status': end})}"])


def _data(value: Any) -> str:
    return f"data: {httpx.Response(200, json=value).text}\r\n\r\n"


class Answers:
    """One answer per path; every other path is no job. Remembers what was asked. A list is answers
    in turn, a function makes its own."""

    def __init__(self) -> None:
        self.by_path: dict[str, Any] = {}
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        found = self.by_path.get(f"{request.method} {request.url.path}")
        if isinstance(found, list):
            found = found.pop(0)
        if isinstance(found, httpx.Response):
            return found
        if callable(found):
            answer: httpx.Response = found(request)
            return answer
        if isinstance(found, BaseException):
            raise found
        if isinstance(found, bytes):
            return httpx.Response(200, content=found)
        if isinstance(found, str):
            return httpx.Response(200, text=found, headers={"Content-Type": "text/event-stream"})
        return (
            httpx.Response(404, json=_NO_JOB) if found is None else httpx.Response(200, json=found)
        )

    def body(self, number: int = -1) -> Any:
        """What a request sent."""
        return json.loads(self.asked[number].content)


def problem(status: int, code: str, detail: str) -> httpx.Response:
    """A refusal."""
    body = {"title": "", "status": status, "code": code, "detail": detail, "request_id": "req-1"}
    return httpx.Response(status, json=body)


_NO_JOB = {
    "title": "Not Found",
    "status": 404,
    "code": "job_not_found",
    "detail": "there is no job 'job-1'",
    "request_id": "req-1",
}
