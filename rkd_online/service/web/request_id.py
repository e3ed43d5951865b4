"""A request id in every response, every problem and every log line of an error."""

import secrets
from contextvars import ContextVar

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_current: ContextVar[str] = ContextVar("request_id", default="")


def request_id() -> str:
    """The id of the request being served."""
    return _current.get()


class RequestIdMiddleware:
    """Plain ASGI: Starlette's base class for middleware would buffer event streams."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        made = f"req-{secrets.token_hex(8)}"
        _current.set(made)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-ID"] = made
            await send(message)

        await self._app(scope, receive, send_with_id)
