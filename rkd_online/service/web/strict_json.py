"""Request bodies in strict JSON: Python would read NaN and Infinity, and no other reader does."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from rkd_online.service.web.body import parse


class StrictRequest(Request):
    """A request whose body is parsed by the letter of the standard."""

    async def json(self) -> Any:
        """The parsed body, parsed once; what the standard does not have is a syntax error."""
        if not hasattr(self, "_json"):
            self._json = parse(await self.body())
        return self._json


class StrictRoute(APIRoute):
    """A route whose handler gets a `StrictRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler that FastAPI made, behind the strict parser."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strict
