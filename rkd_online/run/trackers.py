"""The trackers that a job asks for, from the start of an attempt to its end."""

import asyncio
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from rkd_online.errors import RkdError, SpecError
from rkd_online.metrics.sinks import Sink, Sinks
from rkd_online.metrics.trackers.backend import Backend, Ending, Outcome, Unusable
from rkd_online.metrics.trackers.event_files import EventFiles
from rkd_online.metrics.trackers.mlflow_client import MlflowServer, place_of
from rkd_online.metrics.trackers.mlflow_run import MlflowRun, RunDescription
from rkd_online.metrics.trackers.parameters import parameters
from rkd_online.metrics.trackers.sink import TrackerSink
from rkd_online.run.records import RunFolder, write_whole
from rkd_online.run.steering import Paused
from rkd_online.spec.job import JobSpec
from rkd_online.spec.trackers import MlflowTracker, TensorboardTracker, Tracker

END_SECONDS: Final = 10.0
"""Time that all trackers together have at the end of an attempt."""
PACKAGES: Final = {"tensorboard": "tensorboard", "mlflow": "mlflow"}
"""What the extra of a tracker installs, by its type."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """An attempt that trackers are told of. ``addresses`` are those of servers by the names that
    jobs give them; ``identity`` tells the job from all others; ``project`` is empty without a
    control plane."""

    spec: JobSpec
    folder: RunFolder
    attempt: int
    identity: str
    project: str
    addresses: Mapping[str, str]


def named_addresses(environment: Mapping[str, str]) -> dict[str, str]:
    """The servers that the control plane allows, as it tells them to a run."""
    found: dict[str, str] = json.loads(environment.get("RKD_TRACKERS", "{}"))
    return found


def own_addresses(spec: JobSpec, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The server of a run without a control plane. Raises where there is none, or a tracker's
    package is missing."""
    found: dict[str, str] = {}
    for number, one in enumerate(spec.trackers):
        if find_spec(PACKAGES[one.type]) is None:
            raise RkdError(
                f"trackers.{number}.type: {one.type!r} needs a package that is not installed: "
                f"install rkd-online[{one.type}], or leave it out"
            )
        if isinstance(one, MlflowTracker):
            address = environment.get("MLFLOW_TRACKING_URI")
            if not address:
                raise SpecError(
                    f"trackers.{number}.endpoint: a run without a control plane takes the address "
                    f"of {one.endpoint!r} from MLFLOW_TRACKING_URI, which is not set"
                )
            found[one.endpoint] = address
    return found


def without_control_plane(spec: JobSpec, folder: RunFolder, attempt: int) -> Tracked:
    """An attempt of ``rkd run``. Raises where this process lacks what its trackers need."""
    addresses = own_addresses(spec)
    identity = own_identity(folder) if addresses else folder.path.name
    return Tracked(spec, folder, attempt, identity, "", addresses)


def own_identity(folder: RunFolder) -> str:
    """Without a control plane names of folders are chosen again and again."""
    if not folder.tracked_as.exists():
        write_whole(folder.tracked_as, f"{uuid.uuid4()}\n")
    return folder.tracked_as.read_text().strip()


@asynccontextmanager
async def tracked(
    attempt: Tracked, sink: Sink, superseded: Callable[[], bool] = lambda: False
) -> AsyncIterator[Sink]:
    """A sink for the trackers of an attempt, which are told how the block ends. ``sink`` takes what
    there is to say of them; ``superseded`` says whether what is cancelled is done by another."""
    sinks = [_started(one, attempt, sink) for one in attempt.spec.trackers]
    outcome = Outcome.FAILED
    try:
        yield Sinks(sinks)
        outcome = Outcome.FINISHED
    except Paused:
        outcome = Outcome.PAUSED
        raise
    except asyncio.CancelledError:
        outcome = Outcome.SUPERSEDED if superseded() else Outcome.CANCELLED
        raise
    finally:
        await asyncio.to_thread(_end, sinks, Ending(outcome, _files(attempt.folder, outcome)))


def _started(tracker: Tracker, attempt: Tracked, sink: Sink) -> TrackerSink:
    def tell(message: str) -> None:
        sink.event("log", {"message": message})

    return TrackerSink(_backend(tracker, attempt), tell)


def _backend(tracker: Tracker, attempt: Tracked) -> Backend:
    if isinstance(tracker, TensorboardTracker):
        return EventFiles(attempt.folder.event_files)
    address = attempt.addresses.get(tracker.endpoint)
    description = RunDescription(
        identity=attempt.identity,
        experiment=tracker.experiment,
        name=tracker.run_name or attempt.spec.name,
        tags=_tags(attempt),
        parameters=parameters(attempt.spec.model_dump(mode="json")),
    )
    place = tracker.endpoint if address is None else place_of(address)
    return MlflowRun(place, description, partial(_connected, address))


def _connected(address: str | None) -> MlflowServer:
    if address is None:
        raise Unusable("the control plane has no server of this name any more (RKD_TRACKERS)")
    return MlflowServer(address)


def _tags(attempt: Tracked) -> dict[str, str]:
    spec = attempt.spec
    teachers = dict.fromkeys(one.model for one in spec.teachers.values())
    tags = {
        "rkd.job": attempt.folder.path.name,
        "rkd.attempt": str(attempt.attempt),
        "rkd.policy": spec.policy.model,
        "rkd.algorithm": " then ".join(phase.algorithm.type for phase in spec.phases_in_turn),
        "mlflow.source.name": "rkd-online",
        "mlflow.source.type": "JOB",
    }
    known = {"rkd.teacher": ", ".join(teachers), "rkd.project": attempt.project}
    return tags | {name: value for name, value in known.items() if value}


def _files(folder: RunFolder, outcome: Outcome) -> tuple[Path, ...]:
    return (folder.report, folder.plot) if outcome is Outcome.FINISHED else ()


def _end(sinks: Sequence[TrackerSink], ending: Ending) -> None:
    """Tell all of them, then wait."""
    until = time.monotonic() + END_SECONDS
    for sink in sinks:
        sink.end(ending)
    for sink in sinks:
        sink.wait(max(0.0, until - time.monotonic()))
