"""Request bodies in strict JSON: Python would read NaN and Infinity, and no other reader does."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute


class StrictRequest(Request):
    """A request whose body is parsed by the letter of the standard."""

    async def json(self) -> Any:
        """The parsed body; a non-finite number is a syntax error."""
        return json.loads(await self.body(), parse_constant=_refuse)


class StrictRoute(APIRoute):
    """A route whose handler gets a `StrictRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler that FastAPI made, behind the strict parser."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strict


def _refuse(constant: str) -> NoReturn:
    raise json.JSONDecodeError(f"{constant} is not a number in JSON; leave it out", constant, 0)
