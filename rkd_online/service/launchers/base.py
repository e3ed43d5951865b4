"""What the control plane needs of whatever runs attempts."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from rkd_online.errors import ClusterError
from rkd_online.service.launchers.room import Room
from rkd_online.spec.job import JobSpec

LogStream: TypeAlias = Literal["out", "err"]


class LauncherError(ClusterError):
    """The cluster did not do what it was asked."""


class LauncherUnavailable(LauncherError):
    """The cluster did not answer, or not well: asking again later may help."""


class LauncherRefused(LauncherError):
    """The cluster answered and refused: asking again will not help."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One attempt to start. ``resume_from`` is an accepted checkpoint's folder, None at first; both
    folders are below the data folder of the run's node where they are relative; ``changes`` is how
    many changes of the job its spec has in it."""

    job_id: str
    project: str
    attempt: int
    job_dir: Path
    token: str
    spec: JobSpec
    resume_from: Path | None
    changes: int


class RunState(StrEnum):
    """What the cluster says about a run. ``WAITING``: it is in a queue of the cluster's own and has
    nothing yet. ``UNKNOWN``: the cluster has never heard of it, or forgot it."""

    WAITING = "waiting"
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"

    @property
    def over(self) -> bool:
        """Whether nothing of the run is left."""
        return self not in (RunState.WAITING, RunState.PENDING, RunState.RUNNING)


@dataclass(frozen=True, slots=True)
class RunStatus:
    """A run's state and the cluster's words about it."""

    state: RunState
    message: str


class Launcher(Protocol):
    """Starts, watches and stops attempts. Every call has a timeout and raises `LauncherError`."""

    async def start(self, launch: Launch) -> None:
        """Start an attempt; starting one that was started before does nothing."""
        ...

    async def status(self, job_id: str, attempt: int) -> RunStatus:
        """What has become of an attempt."""
        ...

    async def stop(self, job_id: str, attempt: int) -> None:
        """Ask an attempt to end; asking again, or one that is unknown, does nothing."""
        ...

    async def log_tail(self, job_id: str, attempt: int, lines: int) -> str:
        """The last lines that an attempt printed."""
        ...

    async def role_log(
        self, job_id: str, attempt: int, worker: str, stream: LogStream, lines: int
    ) -> str:
        """The last lines that a worker of an attempt wrote, such as ``generator:0``. Raises
        `LauncherRefused` with the reason where there is no such log."""
        ...

    def unfit(self, spec: JobSpec) -> str | None:
        """Why no run of this job can be started, whatever room there is; None where it can."""
        ...

    async def room(self) -> Room:
        """What the cluster has, and what of it is taken."""
        ...

    def dashboard(self, job_id: str, attempt: int) -> str:
        """The page on which a person can look at an attempt."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
