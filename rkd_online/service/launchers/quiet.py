"""A launcher that may be away: no answer is an answer, and is logged once."""

import logging

from rkd_online.service.launchers.base import Launcher, LauncherError, RunStatus
from rkd_online.service.safety.redaction import Redactor
from rkd_online.service.store.tables import AttemptRow
from rkd_online.service.telemetry.recorder import Recorder

LOG_LINES = 40

log = logging.getLogger(__name__)


class QuietLauncher:
    """The questions whose failure changes nothing: they are asked again at the next pass."""

    def __init__(self, launcher: Launcher, redactor: Redactor, recorder: Recorder) -> None:
        self.plain = launcher
        self._launcher = launcher
        self._redactor = redactor
        self._recorder = recorder
        self._told = ""

    async def ask(self, attempt: AttemptRow) -> RunStatus | None:
        """What has become of an attempt, or None where the cluster does not answer."""
        try:
            with self._recorder.cluster_call():
                found = await self._launcher.status(attempt.job_id, attempt.number)
        except LauncherError as error:
            self._tell(error)
            return None
        self._told = ""
        return found

    async def ask_to_stop(self, attempt: AttemptRow) -> None:
        """Ask an attempt to end."""
        try:
            with self._recorder.cluster_call():
                await self._launcher.stop(attempt.job_id, attempt.number)
        except LauncherError as error:
            self._tell(error)

    async def log_tail(self, attempt: AttemptRow) -> str:
        """The last lines of an attempt, without secrets, or why there are none."""
        try:
            with self._recorder.cluster_call():
                tail = await self._launcher.log_tail(attempt.job_id, attempt.number, LOG_LINES)
            return self._redactor.text(tail)
        except LauncherError as error:
            return f"no log: {error}"

    def _tell(self, error: LauncherError) -> None:
        if str(error) != self._told:
            log.warning("%s", error)
        self._told = str(error)
