"""Ray's dashboard over HTTP, with errors that say what to do."""

from collections.abc import Mapping
from typing import Any, Final

import httpx

from rkd_online.log_end import LogEnd
from rkd_online.service.launchers.base import LauncherRefused, LauncherUnavailable

CALL_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
LOG_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
AGENT_SECONDS: Final = 20
"""Time that the dashboard gives the agent of a node for its part of a log."""
LOG_FILE: Final = "/api/v0/logs/file"


class RayDashboard:
    """Calls of one cluster's dashboard. Each has a timeout and raises a `LauncherError`."""

    def __init__(
        self,
        address: str,
        token: str,
        remedy: str,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """``remedy`` says what to do where nobody answers at this address."""
        self.address = address.rstrip("/")
        self._remedy = remedy
        self._client = httpx.AsyncClient(
            base_url=self.address,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=CALL_TIMEOUT,
            transport=transport,
        )

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Whatever it answers."""
        try:
            return await self._client.request(method, path, **options)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def check(self, answer: httpx.Response) -> Any:
        """The JSON of an answer that is no refusal."""
        if answer.status_code in (401, 403):
            raise LauncherRefused(
                f"Ray at {self.address} does not accept the token ({answer.text.strip()}): set "
                "RAY_AUTH_TOKEN to that cluster's token"
            )
        if not answer.is_success:
            said = (answer.text.strip().splitlines() or ["no text"])[-1]
            passes = answer.is_server_error or answer.status_code == 429
            kind = LauncherUnavailable if passes else LauncherRefused
            raise kind(f"Ray at {self.address} answered {answer.status_code}: {said}")
        return answer.json()

    async def log_end(self, named: Mapping[str, str], lines: int) -> str:
        """The last lines of the log that these parameters name: no more of it crosses the network.
        Ray answers 500 with a reason where there is no such log."""
        given = {"lines": str(lines), "timeout": str(AGENT_SECONDS), "filter_ansi_code": "true"}
        asked = self._client.stream("GET", LOG_FILE, params={**named, **given}, timeout=LOG_TIMEOUT)
        try:
            async with asked as answer:
                if answer.status_code == 500:
                    said = (await answer.aread()).decode(errors="replace").strip()
                    raise LauncherRefused(f"Ray has no such log: {said.partition(chr(10))[0]}")
                if not answer.is_success:
                    await answer.aread()
                    self.check(answer)
                end = LogEnd()
                async for chunk in answer.aiter_bytes():
                    end.add(chunk)
                return end.text().removesuffix("\n")
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _unreachable(self, error: httpx.TransportError) -> LauncherUnavailable:
        return LauncherUnavailable(
            f"Ray is not reachable at {self.address} ({type(error).__name__}: {error}): "
            f"{self._remedy}"
        )
