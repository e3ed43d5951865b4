"""Limits on a body, kept before anything parses it."""

import json
import re
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rkd_online.service.web.problems import ApiError, problem_response

MOST_BYTES: Final = 1 << 20
DEEPEST: Final = 64
"""Nested objects and lists. Python's parser recurses, and ends the process where it overflows."""
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET: Final = re.compile(rb"[\[\]{}]")


class BodyCapMiddleware:
    """Reads a body before anything else does, and refuses one that is too large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        body = await _read(scope, receive)
        if body is None:
            await problem_response(too_large())(scope, receive, send)
            return
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)


async def _read(scope: Scope, receive: Receive) -> bytes | None:
    """The body; None where it is too large by what is announced, else by what comes."""
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > MOST_BYTES:
        return None
    parts, read, more = [], 0, True
    while more:
        message = await receive()
        more = message["type"] == "http.request" and message.get("more_body", False)
        parts.append(message.get("body", b""))
        read += len(parts[-1])
        if read > MOST_BYTES:
            return None
    return b"".join(parts)


def too_large() -> ApiError:
    """The refusal of a body that is too large."""
    return ApiError(413, "body_too_large", f"the body is larger than {MOST_BYTES} bytes")


def depth(body: bytes) -> int:
    """How deep a JSON text nests, strings aside."""
    deepest = now = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", body)):
        now += 1 if bracket.group() in b"[{" else -1
        deepest = max(deepest, now)
    return deepest


def parse(body: bytes) -> object:
    """Strict JSON: bounded depth, UTF-8, and no number that JSON does not have."""
    if (found := depth(body)) > DEEPEST:
        raise json.JSONDecodeError(f"it nests {found} deep, and {DEEPEST} is the most", "", 0)
    try:
        return json.loads(body.decode(), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError(f"it is not UTF-8 ({error.reason})", "", error.start) from None


def _refuse(constant: str) -> object:
    raise json.JSONDecodeError(f"{constant} is not a number in JSON; leave it out", constant, 0)
