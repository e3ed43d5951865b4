"""A request id in every response, problem and log line: the caller's own, or a new one."""

import re
import secrets
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

HEADER: Final = "X-Request-ID"
SANE: Final = re.compile(r"[!-~]{1,64}")
"""What is taken over of a caller's: as much as the audit has room for, in printable ASCII."""


def request_id() -> str:
    """The id of the request being served."""
    found: str = get_contextvars().get("request_id", "")
    return found


class RequestIdMiddleware:
    """Plain ASGI: Starlette's base class for middleware would buffer event streams."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken = _given(Headers(scope=scope)) or f"req-{secrets.token_hex(8)}"
        clear_contextvars()
        bind_contextvars(request_id=taken)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = taken
            await send(message)

        await self._app(scope, receive, send_with_id)


def _given(headers: Headers) -> str | None:
    found = headers.getlist(HEADER)
    return found[0] if len(found) == 1 and SANE.fullmatch(found[0]) else None
