"""A job's events over as many connections as it takes: each once, in order."""

from typing import Final

import httpx
from httpx_sse import ServerSentEvent
from pydantic import ValidationError

from rkd_online.client import clock
from rkd_online.client.problems import refusal
from rkd_online.client.request import Request, path
from rkd_online.client.retries import another_try
from rkd_online.errors import ServiceError
from rkd_online.service.schemas.event import Event

RETRY_SECONDS: Final = 1.0


class _Patience:
    """How long a stream stays broken. Whatever comes through renews it, a heartbeat too."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._broken_at: float | None = None

    def renew(self) -> None:
        """The stream worked: the next break is a new one."""
        self._broken_at = None

    def covers(self, wait: float) -> bool:
        """Asked at each failure, of which the first starts the clock."""
        now = clock.now()
        if self._broken_at is None:
            self._broken_at = now
        return now - self._broken_at <= self._seconds and wait <= max(self._seconds, RETRY_SECONDS)


class Feed:
    """What a client has to know between two connections, and when it gives up."""

    def __init__(self, url: str, job_id: str, after: int, patience_seconds: float) -> None:
        self.ended = False
        self._url = url
        self._job = job_id
        self._after = after
        self._seconds = patience_seconds
        self._patience = _Patience(patience_seconds)
        self._trouble = ""
        self._wait = RETRY_SECONDS

    def request(self) -> Request:
        """The next connection's: it begins behind the last event that came."""
        self._trouble, self._wait = "the stream ended before the job did", RETRY_SECONDS
        headers = {
            "Accept": "text/event-stream",
            "Cache-Control": "no-store",
            "Last-Event-ID": str(self._after),
        }
        return Request("GET", path("jobs", self._job, "events", "stream"), headers=headers)

    def take(self, message: ServerSentEvent) -> Event | None:
        """The event in a message; None for one that has none, and for the end."""
        if message.event == "end":
            self.ended = True
            return None
        # A heartbeat is a comment, which is handed on once an id has been seen.
        if not message.data:
            return None
        try:
            event = Event.model_validate_json(message.data)
        except ValidationError as error:
            raise ServiceError(
                f"{self._url} sent an event of {self._job} that this version does not understand: "
                f"{error}"
            ) from error
        self._after = event.number
        return event

    def heard(self, response: httpx.Response) -> None:
        """Heartbeats before a connection's first id show in nothing but its bytes."""
        if response.num_bytes_downloaded:
            self._patience.renew()

    def refused(self, response: httpx.Response) -> None:
        """There is no stream. Raises the refusal unless another try may find one."""
        asked = another_try(response)
        if asked is None:
            raise refusal(self._url, response)
        self._trouble = str(refusal(self._url, response))
        self._wait = max(RETRY_SECONDS, asked)

    def broke(self, error: httpx.TransportError) -> None:
        """The connection is gone."""
        self._trouble = f"{type(error).__name__}: {error}"

    def wait(self) -> float:
        """Seconds until the next connection. Raises ServiceError where patience is at an end."""
        if not self._patience.covers(self._wait):
            raise ServiceError(
                f"the event stream of {self._job} at {self._url} did not come back within "
                f"{self._seconds:g} s ({self._trouble})"
            )
        return self._wait
