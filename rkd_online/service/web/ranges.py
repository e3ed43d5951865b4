"""A part of something that is sent, by the ``Range`` header."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from fastapi.responses import Response, StreamingResponse

_ONE: Final = re.compile(r"bytes=(?:(\d{1,19})-(\d{0,19})|-(\d{1,19}))", re.ASCII)


class Sent(Protocol):
    """Something of a known size."""

    @property
    def size(self) -> int:
        """Its size."""
        ...

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """A part of it."""
        ...


def part_response(
    found: Sent, asked: str | None, if_range: str | None, headers: Mapping[str, str], media: str
) -> Response:
    """The part that was asked for, with ``if_range`` only where that is the tag in ``headers``; all
    of it where none was, or several. A part behind the end is a 416."""
    size = found.size
    part = _ONE.fullmatch(asked or "")
    start, end, status = 0, size, 200
    known = {**headers, "Accept-Ranges": "bytes"}
    if part is not None and if_range in (None, headers.get("ETag")):
        start, end = _bounds(part, size)
        if start >= min(end, size):
            return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
        status = 206
        known["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    known["Content-Length"] = str(end - start)
    return StreamingResponse(found.chunks(start, end), status, known, media)


def _bounds(part: re.Match[str], size: int) -> tuple[int, int]:
    first, last, tail = part.groups()
    if tail is not None:
        return max(0, size - int(tail)), size
    return int(first), min(size, int(last) + 1) if last else size
