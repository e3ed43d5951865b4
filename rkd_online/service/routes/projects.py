"""Projects and their quotas."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.access.authentication import Admin, Viewer
from rkd_online.service.access.caller import Caller, no_such_project
from rkd_online.service.records import project_record
from rkd_online.service.requests import ProjectName, ProjectPatch, ProjectRequest
from rkd_online.service.routes.jobs import ETAG, Limit
from rkd_online.service.schemas.access import ProjectRecord, Quota, Usage
from rkd_online.service.schemas.answer import Page
from rkd_online.service.services import ServicesDep
from rkd_online.service.store import projects
from rkd_online.service.store.access_tables import ProjectRow
from rkd_online.service.web.once import ChangeDep
from rkd_online.service.web.problems import ApiError, documented
from rkd_online.service.web.revision import IfMatch, require, tag
from rkd_online.service.web.strict_json import StrictRoute

router = APIRouter(prefix="/v1/projects", tags=["projects"], route_class=StrictRoute)


@router.post(
    "",
    status_code=201,
    response_model=ProjectRecord,
    responses={201: {"headers": ETAG}, **documented(401, 403, 409, 413, 429)},
)
async def make_project(
    request: ProjectRequest, caller: Admin, change: ChangeDep, services: ServicesDep
) -> Response:
    """Make a project; needs a key for all projects."""
    caller.require_all_projects()
    async with change.transaction() as session:
        if await projects.find(session, request.id) is not None:
            raise ApiError(409, "project_exists", f"there is a project {request.id!r} already")
        row = await projects.insert(session, request.id, services.now())
        _limit(row, request.quota)
        await session.flush()
        await change.note(
            session, "project.make", row.id, project=row.id, quota=request.quota.model_dump()
        )
        where = {"Location": f"/v1/projects/{row.id}", "ETag": tag(row.revision)}
        return change.answer(201, project_record(row, await _usage(session, row.id)), where)


@router.get("", responses=documented(401, 429))
async def list_projects(
    caller: Viewer,
    services: ServicesDep,
    after: Annotated[ProjectName | None, Query(description="`next` of the page before.")] = None,
    limit: Limit = 20,
) -> Page[ProjectRecord]:
    """Projects with their quotas and what they use, by name; a project's key sees its own."""
    async with services.database.read() as session:
        found = await projects.page(session, after, limit + 1, only=caller.project)
        shown = found[:limit]
        data = [project_record(row, await _usage(session, row.id)) for row in shown]
    has_more = len(found) > limit
    return Page(data=data, has_more=has_more, next=shown[-1].id if has_more else None)


@router.get("/{project}", responses={200: {"headers": ETAG}, **documented(401, 404, 429)})
async def show_project(
    project: ProjectName, caller: Viewer, services: ServicesDep, response: Response
) -> ProjectRecord:
    """One project with its quota and what it uses."""
    async with services.database.read() as session:
        row = _visible(caller, await projects.find(session, project), project)
        response.headers["ETag"] = tag(row.revision)
        return project_record(row, await _usage(session, row.id))


@router.patch(
    "/{project}",
    response_model=ProjectRecord,
    responses={200: {"headers": ETAG}, **documented(401, 403, 404, 412, 413, 428, 429)},
)
async def change_project(
    project: ProjectName,
    request: ProjectPatch,
    caller: Admin,
    change: ChangeDep,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> Response:
    """Set a project's quota; needs a key for all projects. Jobs that run go on."""
    caller.require_all_projects()
    async with change.transaction() as session:
        row = _visible(caller, await projects.lock(session, project), project)
        require(if_match, row.revision, f"the project {project}")
        row.revision += 1
        _limit(row, request.quota)
        await change.note(
            session, "project.quota", row.id, project=row.id, quota=request.quota.model_dump()
        )
        record = project_record(row, await _usage(session, row.id))
        answer = change.answer(200, record, {"ETag": tag(row.revision)})
    services.reconciler.wake()
    return answer


def _visible(caller: Caller, row: ProjectRow | None, project: str) -> ProjectRow:
    if row is None or not caller.sees(row.id):
        raise no_such_project(project)
    return row


def _limit(row: ProjectRow, quota: Quota) -> None:
    row.max_active_jobs = quota.max_active_jobs
    row.max_queued_jobs = quota.max_queued_jobs
    row.max_gpus = quota.max_gpus


async def _usage(session: AsyncSession, project: str) -> Usage:
    active, gpus = (await projects.in_use(session)).get(project, (0, 0.0))
    return Usage(active_jobs=active, queued_jobs=await projects.queued(session, project), gpus=gpus)
