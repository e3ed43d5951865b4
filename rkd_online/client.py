"""The control plane's typed client, as the CLI uses it."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Self, TypeVar

import httpx
from httpx_sse import connect_sse
from pydantic import BaseModel, ValidationError

from rkd_online.errors import ServiceError
from rkd_online.service.schemas.answer import Page
from rkd_online.service.schemas.event import Event
from rkd_online.service.schemas.job import JobRecord, Validation
from rkd_online.service.schemas.problem import Problem
from rkd_online.service.state import Status

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
STREAM_TIMEOUT = httpx.Timeout(45.0, connect=5.0)
"""A stream sends something every 15 s, if only a heartbeat."""
RETRY_SECONDS = 1.0

Model = TypeVar("Model", bound=BaseModel)


class _Patience:
    """How long a stream stays broken. Whatever comes through renews it, a heartbeat too."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._broken_at: float | None = None

    def renew(self) -> None:
        """The stream worked: the next break is a new one."""
        self._broken_at = None

    def at_an_end(self) -> bool:
        """Asked at each failure, of which the first starts the clock."""
        now = time.monotonic()
        if self._broken_at is None:
            self._broken_at = now
        return now - self._broken_at > self._seconds


class Client:
    """Talks to one control plane. Every refusal is a `ServiceError` with what is wrong."""

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8420",
        key: str = "",
        *,
        patience_seconds: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """``key`` is an API key; ``patience_seconds``: how long a broken stream may take to come
        back."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._url = base_url.rstrip("/")
        self._patience = patience_seconds
        self._http = httpx.Client(
            base_url=self._url, timeout=TIMEOUT, headers=headers, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(self, spec: dict[str, Any]) -> JobRecord:
        """Queue a job."""
        return self._read(JobRecord, "POST", "/v1/jobs", json=spec)

    def validate(self, spec: dict[str, Any]) -> Validation:
        """Check a job and see its plan, without queueing it."""
        return self._read(Validation, "POST", "/v1/jobs:validate", json=spec)

    def list(
        self, *, status: Status | None = None, after: str | None = None, limit: int = 20
    ) -> Page[JobRecord]:
        """One page of jobs, newest first; pass its ``next`` as ``after`` for the one behind."""
        asked = {"status": status, "after": after, "limit": limit}
        params = {name: value for name, value in asked.items() if value is not None}
        return self._read(Page[JobRecord], "GET", "/v1/jobs", params=params)

    def get(self, job_id: str) -> JobRecord:
        """One job."""
        return self._read(JobRecord, "GET", f"/v1/jobs/{job_id}")

    def cancel(self, job_id: str) -> JobRecord:
        """Stop a job; again does nothing."""
        return self._read(JobRecord, "POST", f"/v1/jobs/{job_id}/cancel")

    def events(self, job_id: str, after: int = 0, limit: int = 100) -> Page[Event]:
        """One page of events behind number ``after``."""
        params = {"after": after, "limit": limit}
        return self._read(Page[Event], "GET", f"/v1/jobs/{job_id}/events", params=params)

    def report(self, job_id: str) -> dict[str, Any]:
        """The job's ``report.json``."""
        answer: dict[str, Any] = self._call("GET", f"/v1/jobs/{job_id}/report").json()
        return answer

    def report_plot(self, job_id: str) -> bytes:
        """The job's ``report.png``."""
        return self._call("GET", f"/v1/jobs/{job_id}/report.png").content

    def trace(self, job_id: str) -> Iterator[str]:
        """The job's trace so far, a file for trace viewers, in pieces as they come."""
        with closing(self._call("GET", f"/v1/jobs/{job_id}/trace", stream=True)) as response:
            try:
                yield from response.iter_text()
            except httpx.TransportError as error:
                raise ServiceError(
                    f"the trace of {job_id} from {self._url} broke off ({type(error).__name__}: "
                    f"{error}): ask for it again"
                ) from error

    def stream(self, job_id: str, after: int = 0) -> Iterator[Event]:
        """Events as they come, each once, until the job is over; a broken stream is taken up."""
        patience = _Patience(self._patience)
        while True:
            try:
                for event in self._follow(job_id, after, patience):
                    if event is None:
                        return
                    after = event.number
                    yield event
                trouble = "the stream ended before the job did"
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__}: {error}"
            if patience.at_an_end():
                raise ServiceError(
                    f"the event stream of {job_id} at {self._url} did not come back within "
                    f"{self._patience:g} s ({trouble})"
                )
            time.sleep(RETRY_SECONDS)

    def _follow(self, job_id: str, after: int, patience: "_Patience") -> Iterator[Event | None]:
        """The events of one connection, then None where the server said that it was the end."""
        headers = {"Last-Event-ID": str(after)}
        url = f"/v1/jobs/{job_id}/events/stream"
        with connect_sse(self._http, "GET", url, headers=headers, timeout=STREAM_TIMEOUT) as source:
            if not source.response.is_success:
                source.response.read()
                raise self._refusal(source.response)
            try:
                for message in source.iter_sse():
                    if message.event == "end":
                        yield None
                        return
                    # A heartbeat is a comment, which is handed on once an id has been seen.
                    if message.data:
                        yield Event.model_validate_json(message.data)
            finally:
                # Heartbeats before a connection's first id show in nothing but its bytes.
                if source.response.num_bytes_downloaded:
                    patience.renew()

    def _read(self, model: type[Model], method: str, path: str, **options: Any) -> Model:
        return model.model_validate_json(self._call(method, path, **options).content)

    def _call(
        self, method: str, path: str, *, stream: bool = False, **options: Any
    ) -> httpx.Response:
        try:
            request = self._http.build_request(method, path, **options)
            response = self._http.send(request, stream=stream)
        except httpx.TransportError as error:
            raise ServiceError(
                f"no control plane answers at {self._url} ({type(error).__name__}: {error}): start "
                "one with `rkd serve`, or name its address"
            ) from error
        if not response.is_success:
            response.read()
            raise self._refusal(response)
        return response

    def _refusal(self, response: httpx.Response) -> ServiceError:
        try:
            problem = Problem.model_validate_json(response.content)
        except ValidationError:
            text = response.text.strip()[:500]
            return ServiceError(f"{self._url} answered {response.status_code}: {text}")
        lines = [f"{one.field}: {one.message}".removeprefix(": ") for one in problem.errors]
        return ServiceError("\n".join(lines) or f"{problem.detail} ({problem.code})")
