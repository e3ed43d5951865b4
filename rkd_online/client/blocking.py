"""The client that blocks."""

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Self, TypeVar

import httpx
from httpx_sse import EventSource

from rkd_online.client import clock
from rkd_online.client.endpoints import Endpoints
from rkd_online.client.feed import Feed
from rkd_online.client.methods import Blocking
from rkd_online.client.request import Call, Download, Request
from rkd_online.client.retries import Retries
from rkd_online.client.transport import (
    LOCAL,
    PATIENCE_SECONDS,
    STREAM_TIMEOUT,
    TIMEOUT_SECONDS,
    options,
    parts,
    read,
    whole,
)
from rkd_online.service.schemas.answer import Page
from rkd_online.service.schemas.event import Event

T = TypeVar("T")


class Client(Blocking, Endpoints):
    """Talks to one control plane. Every refusal is a `ServiceError` with what is wrong."""

    def __init__(
        self,
        base_url: str = LOCAL,
        key: str = "",
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        retry_seconds: float = PATIENCE_SECONDS,
        timeout_seconds: float = TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """``key`` is an API key; ``patience_seconds``: how long a broken stream may take to come
        back; ``retry_seconds``: how long a request is tried while nothing answers it;
        ``timeout_seconds``: how long each try may be silent."""
        self.url = base_url.rstrip("/")
        self._patience = patience_seconds
        self._retry_seconds = retry_seconds
        self._http = httpx.Client(**options(self.url, key, timeout_seconds), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def stream(self, job_id: str, after: int = 0) -> Generator[Event, None, None]:
        """Events as they come, each once, until the job is over; a broken stream is taken up."""
        feed = Feed(self.url, job_id, after, self._patience)
        while True:
            try:
                yield from self._connection(feed)
            except httpx.TransportError as error:
                feed.broke(error)
            if feed.ended:
                return
            clock.sleep(feed.wait())

    def _connection(self, feed: Feed) -> Iterator[Event]:
        sent = parts(feed.request())
        with self._http.stream(**sent, timeout=STREAM_TIMEOUT) as response:
            if not response.is_success:
                response.read()
                feed.refused(response)
                return
            try:
                for message in EventSource(response).iter_sse():
                    event = feed.take(message)
                    if event is not None:
                        yield event
                    elif feed.ended:
                        return
            finally:
                feed.heard(response)

    def _send(self, call: Call[T]) -> T:
        return read(self.url, call, self._answer(call.request))

    def _each(self, call: Call[Page[T]]) -> Iterator[T]:
        while True:
            page = self._send(call)
            yield from page.data
            if page.next is None:
                return
            call = call.behind(page.next)

    def _pieces(self, download: Download[T]) -> Iterator[T]:
        response = self._answer(download.request, stream=True)
        with closing(response), whole(self.url, download, response):
            yield from download.pieces(response)

    def _answer(self, request: Request, *, stream: bool = False) -> httpx.Response:
        retries = Retries(self.url, self._retry_seconds, retried=request.retried)
        while True:
            try:
                response = self._http.send(
                    self._http.build_request(**parts(request)), stream=stream
                )
                if response.is_success:
                    return response
                response.read()
                wait = retries.after_answer(response)
            except httpx.TransportError as error:
                wait = retries.after_error(error)
            clock.sleep(wait)
