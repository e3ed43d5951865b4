"""What both transports have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import httpx

from rkd_online.client.request import Call, Download, Request
from rkd_online.errors import ServiceError

T = TypeVar("T")

LOCAL: Final = "http://127.0.0.1:8420"
CONNECT_SECONDS: Final = 5.0
TIMEOUT_SECONDS: Final = 30.0
STREAM_TIMEOUT: Final = httpx.Timeout(45.0, connect=CONNECT_SECONDS)
"""A stream sends something every 15 s, if only a heartbeat."""
PATIENCE_SECONDS: Final = 60.0


def options(url: str, key: str, seconds: float) -> dict[str, Any]:
    """Of either of httpx's clients. Raises ServiceError for what cannot be sent."""
    try:
        httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ServiceError(f"{url!r} is no address: {error}") from error
    if not (key.isascii() and key.isprintable()):
        raise ServiceError("the API key has characters that no key has: copy it again")
    timeout = httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return {"base_url": url, "timeout": timeout, "headers": headers}


def parts(request: Request) -> dict[str, Any]:
    """A request as httpx takes it."""
    found = {
        "method": request.method,
        "url": request.path,
        "params": request.params,
        "headers": request.headers,
    }
    return found if request.body is None else {**found, "json": request.body}


def read(url: str, call: Call[T], response: httpx.Response) -> T:
    """What an answer means."""
    try:
        return call.read(response.content)
    except ValueError as error:
        raise ServiceError(
            f"{url} answered {call.request.method} {call.request.path} with what this version does "
            f"not understand: {error}"
        ) from error


@contextmanager
def whole(url: str, download: Download[T], response: httpx.Response) -> Iterator[None]:
    """Say that what was begun is not all there where it breaks off, or not what was begun."""
    if response.status_code != download.status:
        raise ServiceError(
            f"{download.what} from {url} is not what it was: ask for it from its beginning"
        )
    try:
        yield
    except httpx.TransportError as error:
        raise ServiceError(
            f"{download.what} from {url} broke off ({type(error).__name__}: {error}): ask for it "
            "again"
        ) from error
