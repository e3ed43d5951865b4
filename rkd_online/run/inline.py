"""A whole job in this process: the same classes and the same loop, without Ray."""

import asyncio
from collections.abc import Sequence

from rkd_online.errors import RecordError, SpecError
from rkd_online.evaluation.report import Report
from rkd_online.locks import exclusive
from rkd_online.metrics.sinks import JsonlSink, Sink, Sinks
from rkd_online.run.attempt import Attempt, checked_prompts, run_attempt
from rkd_online.run.local import LocalWorkforce
from rkd_online.run.prepare import prepare
from rkd_online.run.records import RunFolder
from rkd_online.run.trackers import tracked, without_control_plane
from rkd_online.spec.job import JobSpec


def run_inline(spec: JobSpec, folder: RunFolder, sinks: Sequence[Sink] = ()) -> Report:
    """Run a job to its end, or go on from the newest checkpoint of a run that was cut."""
    return asyncio.run(_run(spec, folder, sinks))


async def _run(spec: JobSpec, folder: RunFolder, sinks: Sequence[Sink]) -> Report:
    resources = spec.resources
    counts = {
        "generator.count": resources.generator.count,
        "scorer.count": resources.scorer.count,
        "learner.ranks": resources.learner.ranks,
    }
    for field, count in counts.items():
        if count != 1:
            raise SpecError(
                f"resources.{field} is {count}: one process holds one of each; submit the job to a "
                "control plane to use several"
            )
    folder.path.mkdir(parents=True, exist_ok=True)
    with exclusive(folder.path / "run.lock") as free:
        if not free:
            raise RecordError(
                f"another process runs in {folder.path}: wait for it, or choose another --job"
            )
        _same_job(spec, folder)
        return await _run_alone(spec, folder, sinks)


async def _run_alone(spec: JobSpec, folder: RunFolder, sinks: Sequence[Sink]) -> Report:
    resume = folder.latest_checkpoint()
    number = len(folder.attempts()) + 1
    attempt = without_control_plane(spec, folder, number)
    setup = prepare(folder.path, number, spec, "file")
    folder.write_spec(spec)
    metrics = JsonlSink(folder.attempt(number).metrics)
    sink = Sinks([metrics, *sinks])
    prompts = checked_prompts(setup, resume, sink)
    work = LocalWorkforce(setup)
    try:
        async with tracked(attempt, sink) as trackers:
            try:
                told = Sinks([sink, trackers])
                await work.ready()
                return await run_attempt(Attempt(setup, prompts, work, folder, told, resume))
            finally:
                await work.close()
    finally:
        metrics.close()


def _same_job(spec: JobSpec, folder: RunFolder) -> None:
    """A folder belongs to one spec: going on with another would mix two jobs' records."""
    if not folder.spec.exists():
        return
    if folder.report.exists():
        raise SpecError(f"{folder.path} holds a finished run: choose another --job or remove it")
    if JobSpec.model_validate_json(folder.spec.read_bytes()) != spec:
        raise SpecError(
            f"{folder.path} holds a run of another spec: choose another --job, or give the spec "
            f"that it began with ({folder.spec})"
        )
