"""The names that this API answers to.

A web page that is opened near a control plane could reach it by a name of its own that leads there
(DNS rebinding). An address is no such name: probes and scrapers come by it.
"""

import ipaddress
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from rkd_online.service.web.problems import ApiError, problem_response


class HostMiddleware:
    """Refuses requests to any other name."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        """``names`` may begin with ``*.``: then they mean all names below."""
        self._app = app
        self._names = frozenset(name.lower() for name in names if not name.startswith("*."))
        self._endings = tuple(name[1:].lower() for name in names if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._answers(host := _host(scope)):
            await problem_response(not_ours(host))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _answers(self, host: str) -> bool:
        return host in self._names or host.endswith(self._endings) or _is_address(host)


def not_ours(host: str) -> ApiError:
    """The 421 for a request to a name that is not known here."""
    return ApiError(
        421,
        "unknown_host",
        f"this API does not answer to the name {host[:100]!r}: name it in RKD_ALLOWED_HOSTS",
    )


def _host(scope: Scope) -> str:
    """The name of a Host header, without its port."""
    given = Headers(scope=scope).get("host", "").lower()
    if given.startswith("["):
        return given.partition("]")[0] + "]"
    return given.partition(":")[0].removesuffix(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
