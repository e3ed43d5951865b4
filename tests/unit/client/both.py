"""Both clients behind one face, so that each test is written once and holds for both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias, cast

import httpx

from rkd_online.client import AsyncClient, Client

Kind: TypeAlias = Literal["blocking", "awaiting"]
Handler: TypeAlias = Callable[[httpx.Request], httpx.Response]
KINDS: tuple[Kind, ...] = ("blocking", "awaiting")


class _Driven:
    """An `AsyncClient` whose methods are awaited for the caller."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._runner = asyncio.Runner()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*args: Any, **options: Any) -> Any:
            found = method(*args, **options)
            return self._iterate(found) if hasattr(found, "__anext__") else self._wait(found)

        return call

    def end(self) -> None:
        self._wait(self._client.close())
        self._runner.close()

    def _wait(self, found: Awaitable[Any]) -> Any:
        async def waited() -> Any:
            return await found

        return self._runner.run(waited())

    def _iterate(self, found: AsyncIterator[Any]) -> Iterator[Any]:
        while True:
            try:
                yield self._wait(anext(found))
            except StopAsyncIteration:
                return


@contextmanager
def opened(
    kind: Kind, url: str = "http://plane", key: str = "", **options: Any
) -> Iterator[Client]:
    """A client of this kind, used as one that blocks."""
    if kind == "blocking":
        with Client(url, key, **options) as client:
            yield client
        return
    driven = _Driven(AsyncClient(url, key, **options))
    try:
        yield cast(Client, driven)
    finally:
        driven.end()


@contextmanager
def answering(kind: Kind, handler: Handler, **options: Any) -> Iterator[Client]:
    """A client whose requests a function answers."""
    with opened(kind, transport=httpx.MockTransport(handler), **options) as client:
        yield client


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body in pieces, for either client; an error among them ends it."""

    def __init__(self, pieces: Iterable[bytes | Exception]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece
