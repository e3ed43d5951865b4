"""What both transports have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import httpx

from rkd_online.client.request import Call, Download, Request
from rkd_online.errors import ServiceError

T = TypeVar("T")

LOCAL: Final = "http://127.0.0.1:8420"
TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
STREAM_TIMEOUT: Final = httpx.Timeout(45.0, connect=5.0)
"""A stream sends something every 15 s, if only a heartbeat."""
PATIENCE_SECONDS: Final = 60.0


def options(url: str, key: str) -> dict[str, Any]:
    """Of either of httpx's clients."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return {"base_url": url, "timeout": TIMEOUT, "headers": headers}


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
def whole(url: str, download: Download[T]) -> Iterator[None]:
    """Say that what was begun is not all there where it breaks off."""
    try:
        yield
    except httpx.TransportError as error:
        raise ServiceError(
            f"{download.what} from {url} broke off ({type(error).__name__}: {error}): ask for it "
            "again"
        ) from error
