"""The audit."""

from typing import Annotated

from fastapi import APIRouter, Query

from rkd_online.service.access.authentication import Admin
from rkd_online.service.records import audit_record
from rkd_online.service.requests import ProjectName
from rkd_online.service.schemas.access import AuditRecord
from rkd_online.service.schemas.answer import Page
from rkd_online.service.services import ServicesDep
from rkd_online.service.store import audit
from rkd_online.service.web.problems import documented

router = APIRouter(prefix="/v1", tags=["audit"])


@router.get("/audit", responses=documented(401, 403, 404, 429))
async def list_audit(
    caller: Admin,
    services: ServicesDep,
    project: ProjectName | None = None,
    after: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="`next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page[AuditRecord]:
    """What was done, newest first: in the key's project, or in all of them."""
    wanted = caller.project if project is None else caller.choose(project, project)
    async with services.database.read() as session:
        found = await audit.page(session, wanted, after, limit + 1)
    shown = found[:limit]
    has_more = len(found) > limit
    return Page(
        data=[audit_record(row) for row in shown],
        has_more=has_more,
        next=str(shown[-1].number) if has_more else None,
    )
