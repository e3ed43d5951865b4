"""One MLflow run for all attempts of a job: what is written there, and in what portions."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar

from rkd_online.metrics.trackers.backend import Ending, Outcome, Refused, Stamped, Unusable
from rkd_online.metrics.trackers.parameters import taken_name
from rkd_online.metrics.trackers.scalars import scalars

T = TypeVar("T")

MOST_METRICS: Final = 1000
"""Values that the server takes at a time."""
MOST_PARAMETERS: Final = 100
LARGEST_FILE: Final = 5 << 20
"""Bytes of a file that is sent along at the end."""
IDENTITY: Final = "rkd.run"
"""The tag by which a later attempt finds the run."""
DESCRIPTION: Final = "mlflow.note.content"
STATUSES: Final = {
    Outcome.FINISHED: "FINISHED",
    Outcome.FAILED: "FAILED",
    Outcome.CANCELLED: "KILLED",
    Outcome.PAUSED: "SCHEDULED",
}
"""MLflow's word for how an attempt ended. A paused job goes on in the same run."""


class Value(NamedTuple):
    """A metric at a step; ``milliseconds`` are of its report, so that a value that is sent again
    is the same one."""

    name: str
    value: float
    milliseconds: int
    step: int


class Server(Protocol):
    """What is asked of MLflow. Raises `Refused` for what the server will never take."""

    def find(self, experiment: str, identity: str) -> str | None:
        """The id of the newest run with this tag, in an experiment that is made if need be."""
        ...

    def create(self, experiment: str, name: str, tags: Mapping[str, str]) -> str:
        """A new run's id."""
        ...

    def parameters(self, run: str) -> frozenset[str]:
        """Names of the parameters that a run has: they cannot be changed."""
        ...

    def log(
        self,
        run: str,
        *,
        values: Sequence[Value] = (),
        parameters: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add to a run."""
        ...

    def status(self, run: str, status: str) -> None:
        """Say how a run is doing."""
        ...

    def file(self, run: str, path: Path) -> None:
        """Keep a file with a run."""
        ...


@dataclass(frozen=True, slots=True)
class RunDescription:
    """What a run is called and what is said of it. ``identity`` is the same for all attempts of a
    job and for those of no other."""

    identity: str
    experiment: str
    name: str
    tags: dict[str, str]
    parameters: dict[str, str]


class MlflowRun:
    """A `Backend` that goes on with the job's run where it has one."""

    def __init__(
        self, place: str, description: RunDescription, connect: Callable[[], Server]
    ) -> None:
        """``place`` is what messages call the server."""
        self.name = f"MLflow at {place}"
        self._description = description
        self._connect = connect
        self._connected: tuple[Server, str] | None = None

    def start(self) -> None:
        """Find or make the run, and describe it."""
        told, server = self._description, self._connect()
        try:
            run = server.find(told.experiment, told.identity)
            if run is None:
                run = server.create(told.experiment, told.name, {IDENTITY: told.identity})
            server.log(run, tags=told.tags)
            known = server.parameters(run)
            new = [one for one in told.parameters.items() if one[0] not in known]
            for part in _parts(new, MOST_PARAMETERS):
                server.log(run, parameters=dict(part))
            server.status(run, "RUNNING")
        except Refused as error:
            raise Unusable(str(error)) from None
        self._connected = server, run

    def write(self, reports: Sequence[Stamped]) -> None:
        """Send the values of these steps. The server keeps what it is sent twice once."""
        server, run = self._open()
        values = [value for stamped in reports for value in _values(stamped)]
        for part in _parts(values, MOST_METRICS):
            server.log(run, values=part)

    def end(self, ending: Ending) -> None:
        """Send the status, the files, and the report's summary as the run's description."""
        if ending.outcome is Outcome.SUPERSEDED:
            return
        server, run = self._open()
        server.status(run, STATUSES[ending.outcome])
        files = [path for path in ending.files if path.is_file()]
        for path in files:
            if path.name == "report.json":
                summary = json.loads(path.read_bytes())["summary"]
                server.log(run, tags={DESCRIPTION: summary})
        for path in files:
            if path.stat().st_size <= LARGEST_FILE:
                server.file(run, path)

    def _open(self) -> tuple[Server, str]:
        assert self._connected is not None, "start comes first"
        return self._connected


def _values(stamped: Stamped) -> list[Value]:
    """Without those that are not finite, which a server keeps as other numbers, or not at all."""
    step, when = stamped.report.step, round(stamped.seconds * 1000)
    return [
        Value(taken_name(name), value, when, step)
        for name, value in scalars(stamped.report).items()
        if math.isfinite(value)
    ]


def _parts(whole: Sequence[T], most: int) -> list[Sequence[T]]:
    return [whole[start : start + most] for start in range(0, len(whole), most)]
