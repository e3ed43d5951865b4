"""Requests, described apart from how they are sent."""

import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. One that is not ``retried`` is asked for its answer of this moment."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    retried: bool = True


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and what its answer means."""

    request: Request
    read: Callable[[bytes], T]

    def behind(self, cursor: str) -> "Call[T]":
        """The same call for the page behind a cursor."""
        params = {**self.request.params, "after": cursor}
        return replace(self, request=replace(self.request, params=params))


@dataclass(frozen=True, slots=True)
class Download(Generic[T]):
    """A request whose answer is taken in pieces; ``what`` names it in errors. An answer with
    another ``status`` is something else than was asked for."""

    request: Request
    what: str
    pieces: Callable[[httpx.Response], Iterator[T]]
    pieces_async: Callable[[httpx.Response], AsyncIterator[T]]
    status: int = 200


def get(model: type[Model], path: str, **params: Any) -> Call[Model]:
    """Read something. Parameters that are None are left out."""
    return Call(Request("GET", path, given(**params)), model.model_validate_json)


def get_json(path: str) -> Call[Any]:
    """Read a document that has no model."""
    return Call(Request("GET", path), json.loads)


def get_bytes(path: str) -> Call[bytes]:
    """Read a file that fits into memory."""
    return Call(Request("GET", path), bytes)


def download(what: str, path: str, *, start: int = 0, etag: str | None = None) -> Download[bytes]:
    """Read a file of any size, or what is behind its first bytes while it has this ETag."""
    headers = {"Range": f"bytes={start}-"} if start else {}
    if start and etag:
        headers["If-Range"] = f'"{etag}"'
    return Download(
        Request("GET", path, headers=headers),
        what,
        httpx.Response.iter_bytes,
        httpx.Response.aiter_bytes,
        status=206 if start else 200,
    )


def download_text(what: str, path: str) -> Download[str]:
    """Read a text of any size."""
    return Download(Request("GET", path), what, httpx.Response.iter_text, httpx.Response.aiter_text)


def change(
    method: str,
    model: type[Model],
    path: str,
    body: Any = None,
    *,
    key: str | None = None,
    revision: int | None = None,
) -> Call[Model]:
    """Change something: done once, however often it has to be sent, because it has an
    ``Idempotency-Key``. With a ``revision`` only while that is still the newest."""
    headers = {"Idempotency-Key": key or str(uuid.uuid4())}
    if revision is not None:
        headers["If-Match"] = f'"{revision}"'
    return Call(Request(method, path, headers=headers, body=body), model.model_validate_json)


def path(*parts: str, safe: str = "") -> str:
    """A path below ``/v1`` from parts, in which nothing has a meaning of its own."""
    return "/".join(("/v1", *(quote(part, safe=safe) for part in parts)))


def given(**values: Any) -> dict[str, Any]:
    """Those that are not None, as plain data."""
    return {name: _plain(value) for name, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else value
