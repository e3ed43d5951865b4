"""Whether this process lives, and whether it does its work."""

from datetime import timedelta

from fastapi import APIRouter
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from rkd_online import __version__
from rkd_online.service.schemas.answer import Health
from rkd_online.service.services import ServicesDep
from rkd_online.service.web.problems import ApiError, documented

STALLED = timedelta(minutes=5)
"""Longer than one pass of the reconciler can take, all its timeouts together."""

router = APIRouter(tags=["health"])


@router.get("/livez")
async def check_liveness() -> Health:
    """The process answers. Where it does not, only a restart helps."""
    return Health(status="ok", version=__version__)


@router.get("/readyz", responses=documented(503))
async def check_readiness(services: ServicesDep) -> Health:
    """Requests can be sent here: the database answers, and jobs are being looked after. A process
    that is to end takes no more connections."""
    try:
        async with services.database.read() as session:
            await session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        raise ApiError(
            503, "database_away", f"the database does not answer ({type(error).__name__})"
        ) from error
    idle = services.now() - services.reconciler.last_pass
    if idle > STALLED:
        seconds = idle.total_seconds()
        detail = f"no job has been looked after for {seconds:.0f} s; the log says why"
        raise ApiError(503, "reconciler_stalled", detail)
    return Health(status="ok", version=__version__)
