"""The cluster's room, which metrics show as it was last seen. Many submissions ask for it, and it
costs a call: they are told what it was a moment ago."""

import asyncio
import time
from typing import Final

from rkd_online.service.clock import Now
from rkd_online.service.launchers.base import Launcher, LauncherError
from rkd_online.service.launchers.room import Room
from rkd_online.service.telemetry.recorder import Recorder

FRESH_SECONDS: Final = 5.0
"""As often as Ray itself looks."""


class WatchedRoom:
    """Asks the cluster again when the last answer is no longer fresh; a failure is kept as long."""

    def __init__(self, launcher: Launcher, recorder: Recorder, now: Now) -> None:
        self._launcher = launcher
        self._recorder = recorder
        self._now = now
        self._turn = asyncio.Lock()
        self._asked_at = 0.0
        self._found: Room | LauncherError | None = None

    async def latest(self) -> Room:
        """The room; raises LauncherError where the cluster does not tell."""
        async with self._turn:
            if self._found is None or time.monotonic() - self._asked_at > FRESH_SECONDS:
                self._found = await self._ask()
                self._asked_at = time.monotonic()
        if isinstance(self._found, LauncherError):
            raise self._found
        return self._found

    async def fresh(self) -> Room:
        """The room as the cluster tells it now; raises the same."""
        with self._recorder.cluster_call():
            room = await self._launcher.room()
        self._recorder.cluster_seen(room, self._now())
        return room

    async def _ask(self) -> Room | LauncherError:
        try:
            return await self.fresh()
        except LauncherError as error:
            return error
