"""The client whose methods are awaited."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Self, TypeVar

import httpx
from httpx_sse import EventSource

from rkd_online.client import clock
from rkd_online.client.endpoints import Endpoints
from rkd_online.client.feed import Feed
from rkd_online.client.methods import Awaiting
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


class AsyncClient(Awaiting, Endpoints):
    """`Client` for a program with an event loop. Leave its iterators early inside ``aclosing``."""

    def __init__(
        self,
        base_url: str = LOCAL,
        key: str = "",
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        retry_seconds: float = PATIENCE_SECONDS,
        timeout_seconds: float = TIMEOUT_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """See `Client`."""
        self.url = base_url.rstrip("/")
        self._patience = patience_seconds
        self._retry_seconds = retry_seconds
        self._http = httpx.AsyncClient(
            **options(self.url, key, timeout_seconds), transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def stream(self, job_id: str, after: int = 0) -> AsyncGenerator[Event, None]:
        """Events as they come, each once, until the job is over; a broken stream is taken up."""
        feed = Feed(self.url, job_id, after, self._patience)
        while True:
            try:
                async with aclosing(self._connection(feed)) as events:
                    async for event in events:
                        yield event
            except httpx.TransportError as error:
                feed.broke(error)
            if feed.ended:
                return
            await clock.sleep_async(feed.wait())

    async def _connection(self, feed: Feed) -> AsyncGenerator[Event, None]:
        sent = parts(feed.request())
        async with self._http.stream(**sent, timeout=STREAM_TIMEOUT) as response:
            if not response.is_success:
                await response.aread()
                feed.refused(response)
                return
            try:
                async for message in EventSource(response).aiter_sse():
                    event = feed.take(message)
                    if event is not None:
                        yield event
                    elif feed.ended:
                        return
            finally:
                feed.heard(response)

    async def _send(self, call: Call[T]) -> T:
        return read(self.url, call, await self._answer(call.request))

    async def _each(self, call: Call[Page[T]]) -> AsyncIterator[T]:
        while True:
            page = await self._send(call)
            for one in page.data:
                yield one
            if page.next is None:
                return
            call = call.behind(page.next)

    async def _pieces(self, download: Download[T]) -> AsyncIterator[T]:
        response = await self._answer(download.request, stream=True)
        try:
            with whole(self.url, download, response):
                async for piece in download.pieces_async(response):
                    yield piece
        finally:
            await response.aclose()

    async def _answer(self, request: Request, *, stream: bool = False) -> httpx.Response:
        retries = Retries(self.url, self._retry_seconds, retried=request.retried)
        while True:
            try:
                response = await self._http.send(
                    self._http.build_request(**parts(request)), stream=stream
                )
                if response.is_success:
                    return response
                await response.aread()
                wait = retries.after_answer(response)
            except httpx.TransportError as error:
                wait = retries.after_error(error)
            await clock.sleep_async(wait)
