"""What is counted and logged of every request."""

import logging
import time
from typing import Final

from starlette.datastructures import Headers
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rkd_online.service.telemetry.recorder import Recorder

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER: Final = "other"
"""A method that is none of these: a caller can send any word."""
NO_ROUTE: Final = "none"
"""In the place of a route, where no route was reached: paths are a caller's own words."""
ASKED_ALL_THE_TIME: Final = frozenset({"/livez", "/readyz", "/metrics"})
"""Their lines are kept for debugging, unless they fail."""

log = logging.getLogger(__name__)


class WatchMiddleware:
    """Plain ASGI: Starlette's base class for middleware would buffer event streams."""

    def __init__(self, app: ASGIApp, recorder: Recorder) -> None:
        self._app = app
        self._recorder = recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        watched = _Watched(self._recorder, scope)

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                watched.answer(message)
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception:
            watched.fail()
            raise
        finally:
            watched.end()


class _Watched:
    """One request. An event stream counts as answered when it begins: it may be open for days."""

    def __init__(self, recorder: Recorder, scope: Scope) -> None:
        self._recorder = recorder
        self._scope = scope
        self._began = time.perf_counter()
        self._status: int | None = None
        self._streams = False
        recorder.in_progress.inc()

    def answer(self, start: Message) -> None:
        """The answer begins."""
        self._status = start["status"]
        kind = Headers(raw=start.get("headers", [])).get("content-type", "")
        if kind.startswith("text/event-stream"):
            self._streams = True
            self._done("event stream begins")
            self._recorder.streams.inc()

    def fail(self) -> None:
        """An error left the app: the answer is made outside, where none has begun."""
        self._status = self._status or 500

    def end(self) -> None:
        """The answer has ended, or nobody waits for it any more."""
        if self._streams:
            self._recorder.streams.dec()
            self._log("event stream ends")
        else:
            self._done("request")

    def _done(self, what: str) -> None:
        self._recorder.in_progress.dec()
        if self._status is not None:
            self._recorder.request(self._method, self._route, self._status, self._seconds)
            self._log(what)

    def _log(self, what: str) -> None:
        fields = {
            "method": self._method,
            "route": self._route,
            "status": self._status,
            "seconds": round(self._seconds, 4),
        }
        log.log(self._level, what, extra=fields)

    @property
    def _level(self) -> int:
        assert self._status is not None
        if self._status >= 500:
            return logging.WARNING
        quiet = self._route in ASKED_ALL_THE_TIME and self._status < 400
        return logging.DEBUG if quiet else logging.INFO

    @property
    def _method(self) -> str:
        method: str = self._scope["method"]
        return method if method in METHODS else OTHER

    @property
    def _route(self) -> str:
        route = self._scope.get("route")
        found = route.path if isinstance(route, Mount) else getattr(route, "path_format", None)
        return str(found) if found is not None else NO_ROUTE

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._began
