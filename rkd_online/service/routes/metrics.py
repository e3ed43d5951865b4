"""A job's metrics over its steps."""

import re
from collections.abc import Iterable
from typing import Annotated, Final

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.metrics.names import METRICS, metric_of
from rkd_online.service.access.authentication import Viewer
from rkd_online.service.reading.series import MOST_STEP, Downsampled, read_series
from rkd_online.service.routes.access import read_job
from rkd_online.service.schemas.metrics import MetricRecord, Metrics, Series
from rkd_online.service.services import ServicesDep
from rkd_online.service.store import steps
from rkd_online.service.web.problems import ApiError, documented
from rkd_online.spec.invalid import suggestion

MOST_NAMES: Final = 20
NAME: Final = re.compile(r"[A-Za-z0-9_./+-]{1,1000}")
"""Of a mixture's parts too, which are joined by ``+``."""

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])

Names = Annotated[
    list[Annotated[str, Query(max_length=4000)]] | None,
    Query(
        max_length=MOST_NAMES,
        description=f"Names, joined by commas or given again, {MOST_NAMES} at most; none lists "
        "the metrics that there are.",
    ),
]
Step = Annotated[int, Query(ge=0, le=MOST_STEP)]


@router.get("/metrics", responses=documented(401, 404, 429))
async def show_metrics(
    job_id: str,
    caller: Viewer,
    services: ServicesDep,
    names: Names = None,
    from_step: Step = 0,
    to_step: Step = MOST_STEP,
    max_points: Annotated[int, Query(ge=1, le=5000)] = 500,
) -> Metrics:
    """The metrics of a job's steps, over all its attempts: a step that was done again counts as its
    last attempt did it.

    A series with more points than `max_points` comes as buckets with mean, least and largest value.
    The steps are those that the run reported to this service, so they are there wherever the run
    keeps its files; a value that was not finite is left out.
    """
    await read_job(services, caller, job_id)
    wanted = _wanted(names or [])
    if from_step > to_step:
        raise ApiError(422, "invalid_range", f"from_step={from_step} lies behind to_step={to_step}")
    async with services.database.read() as session:
        if not wanted:
            known = await steps.metric_names(session, job_id)
            return Metrics(data=[_record(name, None) for name in known])
        found = await read_series(
            session, job_id, wanted, first=from_step, last=to_step, most=max_points
        )
        await _check_known(session, job_id, found)
    return Metrics(data=[_record(name, one) for name, one in found.items()])


def _wanted(given: list[str]) -> list[str]:
    """The names, each once."""
    names = list(dict.fromkeys(name for one in given for name in one.split(",") if name))
    if len(names) > MOST_NAMES:
        raise ApiError(
            422, "too_many_metrics", f"names has {len(names)} metrics, {MOST_NAMES} are allowed"
        )
    if wrong := [name for name in names if not NAME.fullmatch(name)]:
        raise _unknown(wrong[0], METRICS)
    return names


async def _check_known(session: AsyncSession, job_id: str, found: dict[str, Downsampled]) -> None:
    """A metric may be one that the job has not reported yet, or not at these steps."""
    empty = [name for name, one in found.items() if not one.buckets and metric_of(name) is None]
    if not empty:
        return
    known = await steps.metric_names(session, job_id)
    if unknown := [name for name in empty if name not in known]:
        raise _unknown(unknown[0], known or METRICS)


def _unknown(name: str, known: Iterable[str]) -> ApiError:
    shown = name if len(name) <= 80 else name[:80] + "..."
    return ApiError(
        422,
        "unknown_metric",
        f"names: there is no metric {shown!r}{suggestion(name, known)}; without names all are "
        "listed",
    )


def _record(name: str, found: Downsampled | None) -> MetricRecord:
    metric = metric_of(name)
    return MetricRecord(
        name=name,
        unit=metric.unit if metric else "",
        description=metric.meaning if metric else "",
        series=_series(found) if found else None,
    )


def _series(found: Downsampled) -> Series:
    buckets = found.buckets
    return Series(
        exact=found.size == 1,
        step=[one.first for one in buckets],
        last_step=[one.last for one in buckets],
        mean=[one.total / one.count for one in buckets],
        min=[one.low for one in buckets],
        max=[one.high for one in buckets],
    )
