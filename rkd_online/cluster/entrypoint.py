"""The driver of one attempt: what a Ray Job runs.

``python -m rkd_online.cluster.entrypoint --job-dir DIR --attempt N``; a relative DIR is below this
node's own data folder. The control plane gives the rest by environment: ``RKD_CONTROL_URL``,
``RKD_ATTEMPT_TOKEN``, to go on from a checkpoint ``RKD_RESUME_FROM``, in ``RKD_CHANGES`` how many
changes to the job its spec has in it already, for trackers ``RKD_PROJECT`` and in ``RKD_TRACKERS``
the addresses of tracking servers by their names, in ``RKD_ROLE_LABEL`` the label of nodes by
which roles are placed, where there is one, and on a cluster that an autoscaler adds nodes to in
``RKD_NODE_WAIT_SECONDS`` how long they may take. With ``RKD_OBJECT_STORE`` records are there.
What takes long to import is imported while the actors do the same.
"""

import argparse
import asyncio
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import ray

from rkd_online.cluster.logs import keep_logs
from rkd_online.cluster.metrics import RayMetricsSink
from rkd_online.cluster.placement import ground_of
from rkd_online.cluster.workforce import hire
from rkd_online.errors import (
    ClusterError,
    ObjectStoreError,
    ObjectStoreSetupError,
    RkdError,
    TooLargeError,
    WeightSyncError,
)
from rkd_online.learning.manifest import read_progress
from rkd_online.metrics.control_plane import ControlPlaneSink
from rkd_online.metrics.sinks import JsonlSink, Sink, Sinks
from rkd_online.run.keeping import Keeping, keeping_of
from rkd_online.run.records import RunFolder, data_dir, is_checkpoint
from rkd_online.run.shelf import Shelf
from rkd_online.run.steering import Paused, unless_paused
from rkd_online.run.trackers import Tracked, named_addresses, tracked
from rkd_online.spec.job import JobSpec
from rkd_online.weights.transfer import transfer_for

if TYPE_CHECKING:
    from rkd_online.cluster.workforce import RayWorkforce
    from rkd_online.evaluation.report import Report
    from rkd_online.run.prompts import PromptStream
    from rkd_online.run.setup import JobSetup

NAMESPACE = "rkd"
WATCH_SECONDS = 1.0
EXIT_FENCED = 75
"""Exit code of an attempt that is no longer wanted."""
EXIT_PAUSED = 76
"""Exit code of an attempt that paused: the next one goes on from its last checkpoint."""
MAY_PASS = (ClusterError, WeightSyncError)
"""Our own errors that another attempt may not meet."""


def main() -> None:
    """Run the attempt that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job-dir", type=Path, required=True)
    parser.add_argument("--attempt", type=int, required=True)
    arguments = parser.parse_args()
    folder = RunFolder(data_dir() / arguments.job_dir)
    sys.exit(asyncio.run(_supervise(folder, arguments.attempt)))


async def _supervise(folder: RunFolder, number: int) -> int:
    """Run the attempt and tell the control plane how it ended; the exit code.

    An error that another attempt would meet again is reported as ``failed`` and is final. Any other
    is reported as ``lost``, and the control plane starts the next attempt when this process ends.
    """
    job = folder.path.name
    keeping = keeping_of(folder, number)
    control = ControlPlaneSink(
        f"{os.environ['RKD_CONTROL_URL']}/v1/internal/jobs/{job}/attempts/{number}/events",
        token=os.environ["RKD_ATTEMPT_TOKEN"],
        unsent=folder.attempt(number).path / "unsent.jsonl",
    )
    running = asyncio.create_task(_run(folder, number, control, keeping))
    try:
        await _until_done_or_called_off(running, control)
        if control.fenced or not running.done() or running.cancelled():
            return EXIT_FENCED
        control.event("finished", {"summary": running.result().summary})
        return 0
    except Paused as pause:
        control.event("paused", {"step": pause.step})
        return EXIT_PAUSED
    except Exception as error:
        message = str(error) if isinstance(error, RkdError) else f"{type(error).__name__}: {error}"
        control.event("failed" if final(error, number) else "lost", {"message": message})
        traceback.print_exc()
        return 1
    finally:
        await asyncio.to_thread(control.close)
        await asyncio.to_thread(keeping.leave)


def final(error: Exception, attempt: int) -> bool:
    """Whether another attempt would meet it again. A cluster that is too small for the first is so
    for the job; later a node may be away."""
    if isinstance(error, TooLargeError):
        return attempt == 1
    if isinstance(error, ObjectStoreSetupError):
        return True
    return isinstance(error, RkdError) and not isinstance(error, MAY_PASS)


async def _until_done_or_called_off(
    running: "asyncio.Task[Report]", control: ControlPlaneSink
) -> None:
    """Wait for the attempt; end it when the control plane no longer wants it."""
    while not running.done():
        await asyncio.wait([running], timeout=WATCH_SECONDS)
        if control.fenced or control.stopping:
            running.cancel()
            await asyncio.wait([running], timeout=30 * WATCH_SECONDS)
            return


async def _run(
    folder: RunFolder, number: int, control: ControlPlaneSink, keeping: Keeping
) -> "Report":
    def tell(words: str) -> None:
        control.event("log", {"message": words})

    sinks = await asyncio.to_thread(keeping.open, tell)
    try:
        report = await _attempt(folder, number, control, keeping.shelf, sinks)
    except BaseException:
        try:
            await asyncio.to_thread(keeping.finish)
        except ObjectStoreError as error:  # what ended the attempt matters more
            tell(str(error))
        raise
    await asyncio.to_thread(keeping.finish)
    return report


async def _attempt(
    folder: RunFolder, number: int, control: ControlPlaneSink, shelf: Shelf, sinks: list[Sink]
) -> "Report":
    job = folder.path.name
    refuse_second_run(folder, number)
    spec = JobSpec.model_validate_json(folder.spec.read_bytes())
    control.event("started", {"attempt": number, "steps": spec.steps})
    resume = _checkpoint(folder, os.environ.get("RKD_RESUME_FROM"), control)
    control.event("log", {"message": "starting engines, teacher and learner"})
    ray.init(address="auto", namespace=NAMESPACE, log_to_driver=True)
    starting = _start(folder, number, spec, resume, control)
    if resume is not None:
        # Without a checkpoint to go on from a pause has to wait for that of step 0.
        starting = unless_paused(starting, control, read_progress(resume).step)
    setup, prompts, work = await starting
    from rkd_online.run.attempt import Attempt, run_attempt

    metrics = JsonlSink(folder.attempt(number).metrics)
    sink = Sinks([metrics, control, RayMetricsSink(job, spec.steps), *sinks])
    applied = int(os.environ.get("RKD_CHANGES", "0"))
    told = Tracked(
        spec, folder, number, job, os.environ.get("RKD_PROJECT", ""), named_addresses(os.environ)
    )
    try:
        async with tracked(told, control, lambda: control.fenced) as trackers:
            attempt = Attempt(
                setup, prompts, work, folder, Sinks([sink, trackers]), resume,
                orders=control, applied=applied, shelf=shelf,
            )  # fmt: skip
            try:
                return await run_attempt(attempt)
            finally:
                try:
                    await keep_logs(folder.attempt(number).logs, work.actor_ids)
                finally:
                    await work.close()
    finally:
        metrics.close()


async def _start(
    folder: RunFolder, number: int, spec: JobSpec, resume: Path | None, control: ControlPlaneSink
) -> "tuple[JobSetup, PromptStream, RayWorkforce]":
    # The actors import what they need while this process does; most of a start is that.
    ground = ground_of(os.environ)
    if ground.grows:
        words = f"asks for room; nodes have {ground.timeout:g} s to come (RKD_NODE_WAIT_SECONDS)"
        control.event("log", {"message": words})
    hiring = asyncio.create_task(hire(folder.path.name, spec, ground))
    try:
        setup, prompts = await asyncio.to_thread(_prepared, folder, number, spec, resume, control)
        work = await hiring
    except BaseException:
        # Actors that were hired already end with this process.
        hiring.cancel()
        raise
    await work.start(setup)
    return setup, prompts, work


def _prepared(
    folder: RunFolder, number: int, spec: JobSpec, resume: Path | None, control: ControlPlaneSink
) -> "tuple[JobSetup, PromptStream]":
    from rkd_online.run.attempt import checked_prompts
    from rkd_online.run.prepare import prepare

    setup = prepare(folder.path, number, spec, transfer_for(spec.resources))
    return setup, checked_prompts(setup, resume, control)


def refuse_second_run(folder: RunFolder, number: int) -> None:
    """Raise ClusterError where this attempt has got to its steps before. A cluster that took it
    away and brings it back, while nobody listened, would have it write over its own records."""
    if folder.attempt(number).metrics.exists():
        raise ClusterError(
            f"attempt {number} has run before, and its cluster has started it again: the next "
            "attempt goes on"
        )


def _checkpoint(folder: RunFolder, accepted: str | None, control: ControlPlaneSink) -> Path | None:
    """Where to go on. While the control plane was away a run may have written newer checkpoints and
    dropped the one that was accepted last."""
    found = None if accepted is None else data_dir() / accepted
    if found is None or is_checkpoint(found):
        return found
    newest = folder.latest_checkpoint()
    control.event("log", {"message": f"{accepted} is gone: going on from {newest or 'the start'}"})
    return newest


if __name__ == "__main__":
    main()
