"""Metrics of the control plane, for Prometheus."""

import asyncio
import logging
from typing import Final

from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from rkd_online.service.services import Services, ServicesDep
from rkd_online.service.store import standing
from rkd_online.service.store.standing import Standing
from rkd_online.service.telemetry.exposition import MEDIA_TYPE, exposition

DATABASE_SECONDS: Final = 3.0
"""Prometheus gives a scrape ten."""

router = APIRouter(tags=["health"])

log = logging.getLogger(__name__)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def show_service_metrics(services: ServicesDep) -> Response:
    """What this process counted, and how the jobs stand, in Prometheus' text format. Where the
    database does not tell that in time, ``rkd_database_up`` is 0 and the rest is there anyway."""
    found = await _standing(services)
    return Response(exposition(services.recorder, found), media_type=MEDIA_TYPE)


async def _standing(services: Services) -> Standing | None:
    try:
        async with asyncio.timeout(DATABASE_SECONDS), services.database.read() as session:
            return await standing.read(session, services.now())
    except (SQLAlchemyError, OSError) as error:
        log.warning("the database does not tell how the jobs stand: %r", error)
        return None
