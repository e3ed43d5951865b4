"""Whether this process does its work."""

from datetime import timedelta

from fastapi import APIRouter
from sqlalchemy import text

from rkd_online import __version__
from rkd_online.service.problems import ApiError, documented
from rkd_online.service.schemas import Health
from rkd_online.service.services import ServicesDep

STALLED = timedelta(minutes=5)
"""Longer than one pass of the reconciler can take, all its timeouts together."""

router = APIRouter(tags=["health"])


@router.get("/healthz", responses=documented(503))
async def healthz(services: ServicesDep) -> Health:
    """The API answers, its database does, and jobs are being looked after."""
    async with services.database.read() as session:
        await session.execute(text("SELECT 1"))
    idle = services.now() - services.reconciler.last_pass
    if idle > STALLED:
        seconds = idle.total_seconds()
        detail = f"no job has been looked after for {seconds:.0f} s; the log says why"
        raise ApiError(503, "reconciler_stalled", detail)
    return Health(status="ok", version=__version__)
