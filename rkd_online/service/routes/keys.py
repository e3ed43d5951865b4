"""API keys: made, listed, rotated, revoked. A key's secret is shown once, when it is made."""

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.access.authentication import Admin
from rkd_online.service.access.caller import Caller, no_such_project
from rkd_online.service.access.keys import new_key
from rkd_online.service.records import key_record
from rkd_online.service.requests import KeyRequest, ProjectName, in_future
from rkd_online.service.routes.access import KeyId
from rkd_online.service.routes.jobs import After, Limit
from rkd_online.service.schemas.access import KeyRecord, NewKeyRecord
from rkd_online.service.schemas.answer import Page
from rkd_online.service.services import Services, ServicesDep
from rkd_online.service.store import keys, projects
from rkd_online.service.store.access_tables import KeyRow
from rkd_online.service.web.cursor import cursor_of, parse_cursor
from rkd_online.service.web.once import ChangeDep
from rkd_online.service.web.problems import ApiError, documented
from rkd_online.service.web.strict_json import StrictRoute

router = APIRouter(prefix="/v1/api-keys", tags=["keys"], route_class=StrictRoute)


@router.post(
    "",
    status_code=201,
    response_model=NewKeyRecord,
    responses=documented(401, 403, 404, 409, 413, 429),
)
async def make_key(
    request: KeyRequest, caller: Admin, change: ChangeDep, services: ServicesDep
) -> Response:
    """Make a key. With an Idempotency-Key the answer to a repeated request has no secret: it is
    kept nowhere."""
    project = caller.project if request.project is None else caller.choose(request.project, "")
    if not in_future(request.expires_at, services.now()):
        raise ApiError(422, "expired", f"expires_at {request.expires_at} is in the past")
    async with change.transaction() as session:
        if project is not None and await projects.find(session, project) is None:
            raise no_such_project(project)
        row, key = await _insert(services, session, caller, request, project)
        await change.note(
            session, "key.make", row.id, project=project, name=row.name, scope=row.scope
        )
        change.answer(201, NewKeyRecord(**key_record(row).model_dump(), key=SHOWN_ONCE))
    return _shown(row, key)


@router.get("", responses=documented(401, 403, 404, 429))
async def list_keys(
    caller: Admin,
    services: ServicesDep,
    project: ProjectName | None = None,
    after: After = None,
    limit: Limit = 20,
) -> Page[KeyRecord]:
    """Keys, newest first: of the key's project, or of all of them."""
    wanted = caller.project if project is None else caller.choose(project, project)
    async with services.database.read() as session:
        found = await keys.page(session, wanted, parse_cursor(after), limit + 1)
    shown = found[:limit]
    has_more = len(found) > limit
    return Page(
        data=[key_record(row) for row in shown],
        has_more=has_more,
        next=cursor_of(shown[-1].created_at, shown[-1].id) if has_more else None,
    )


@router.get("/{key_id}", responses=documented(401, 403, 404, 429))
async def show_key(key_id: KeyId, caller: Admin, services: ServicesDep) -> KeyRecord:
    """One key, without its secret."""
    async with services.database.read() as session:
        return key_record(_visible(caller, await keys.find(session, key_id), key_id))


@router.post(
    "/{key_id}/rotate",
    status_code=201,
    response_model=NewKeyRecord,
    responses=documented(401, 403, 404, 409, 413, 429),
)
async def rotate_key(
    key_id: KeyId, caller: Admin, change: ChangeDep, services: ServicesDep
) -> Response:
    """A new key that is good for the same, and the old one revoked, in one step."""
    async with change.transaction() as session:
        old = _visible(caller, await keys.lock(session, key_id), key_id)
        if old.revoked_at is not None:
            raise ApiError(409, "key_revoked", f"key {key_id} is revoked: make a new one")
        old.revoked_at = services.now()
        request = KeyRequest(name=old.name, scope=old.scope, expires_at=old.expires_at)
        row, key = await _insert(services, session, caller, request, old.project_id)
        await change.note(session, "key.rotate", key_id, project=old.project_id, successor=row.id)
        change.answer(201, NewKeyRecord(**key_record(row).model_dump(), key=SHOWN_ONCE))
    services.bell.ring_all()
    return _shown(row, key)


@router.delete("/{key_id}", response_model=KeyRecord, responses=documented(401, 403, 404, 413, 429))
async def revoke_key(
    key_id: KeyId, caller: Admin, change: ChangeDep, services: ServicesDep
) -> Response:
    """End a key at once; again does nothing."""
    async with change.transaction() as session:
        row = _visible(caller, await keys.lock(session, key_id), key_id)
        if row.revoked_at is None:
            row.revoked_at = services.now()
            await change.note(session, "key.revoke", key_id, project=row.project_id)
        answer = change.answer(200, key_record(row))
    services.bell.ring_all()
    return answer


SHOWN_ONCE = "shown once"
"""What a repeated request gets in the secret's place."""


async def _insert(
    services: Services,
    session: AsyncSession,
    caller: Caller,
    request: KeyRequest,
    project: str | None,
) -> tuple[KeyRow, str]:
    made = new_key()
    row = await keys.insert(
        session,
        made.id,
        services.digests.of(str(made)),
        name=request.name,
        project=project,
        scope=request.scope,
        now=services.now(),
        created_by=caller.id,
        expires_at=request.expires_at,
    )
    return row, str(made)


def _shown(row: KeyRow, key: str) -> Response:
    record = NewKeyRecord(**key_record(row).model_dump(), key=key)
    return Response(
        record.model_dump_json(),
        201,
        {"Location": f"/v1/api-keys/{row.id}", "Cache-Control": "no-store"},
        media_type="application/json",
    )


def _visible(caller: Caller, row: KeyRow | None, key_id: str) -> KeyRow:
    """A key for all projects is there only for another one like it."""
    if row is None or (caller.project is not None and row.project_id != caller.project):
        raise ApiError(404, "key_not_found", f"there is no key {key_id!r}")
    return row
