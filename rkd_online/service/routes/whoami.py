"""Whose key it is."""

from fastapi import APIRouter

from rkd_online.service.access.authentication import Viewer
from rkd_online.service.schemas.access import WhoAmI
from rkd_online.service.web.problems import documented

router = APIRouter(prefix="/v1", tags=["keys"])


@router.get("/whoami", responses=documented(401, 429))
async def who_am_i(caller: Viewer) -> WhoAmI:
    """What the key of this request is good for."""
    return WhoAmI(id=caller.id, name=caller.name, project=caller.project, scope=caller.scope)
