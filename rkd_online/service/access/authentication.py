"""From the request's header to its caller."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from structlog.contextvars import bind_contextvars

from rkd_online.service.access.caller import LOCAL, Caller
from rkd_online.service.access.keys import key_id
from rkd_online.service.access.scope import Scope
from rkd_online.service.services import Services, ServicesDep
from rkd_online.service.store import keys
from rkd_online.service.store.access_tables import KeyRow
from rkd_online.service.web.limits import address_of
from rkd_online.service.web.problems import ApiError

USED_EVERY: Final = timedelta(minutes=1)
"""``last_used_at`` is this exact: a write for each read would be the larger part of the work."""

bearer = HTTPBearer(
    auto_error=False, scheme_name="ApiKey", description="An API key: ``rkd_<id>_<secret>``."
)
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


async def authenticate(request: Request, given: Bearer, services: ServicesDep) -> Caller:
    """The caller, within the rate that callers have; a wrong key counts against its address."""
    if services.settings.auth == "off":
        _tell_logs(LOCAL)
        return LOCAL
    if given is None:
        raise ApiError(
            401,
            "missing_key",
            "this needs an API key: send `Authorization: Bearer rkd_...` (`rkd login` keeps one)",
        )
    address = address_of(request)
    services.limits.check_guesses(address)
    caller = await identify(services, given.credentials)
    if caller is None:
        services.limits.count_guess(address)
        raise ApiError(
            401, "invalid_key", "this key is unknown, expired or revoked: ask for a new one"
        )
    _tell_logs(caller)
    services.limits.count_request(caller.id)
    return caller


def _tell_logs(caller: Caller) -> None:
    bind_contextvars(key_id=caller.id)
    if caller.project is not None:
        bind_contextvars(project=caller.project)


async def identify(services: Services, key: str) -> Caller | None:
    """Whose key it is; None where it is nobody's, or not any more."""
    found = key_id(key)
    if found is None:
        return None
    row = await services.known_keys.find(found)
    if row is None or not services.digests.match(key, row.digest) or not _valid(services, row):
        return None
    if row.last_used_at is None or services.now() - row.last_used_at > USED_EVERY:
        async with services.database.write() as session:
            await keys.touch(session, row.id, services.now())
        row.last_used_at = services.now()
    return Caller(row.id, row.name, row.project_id, row.scope)


def _valid(services: Services, row: KeyRow) -> bool:
    expired = row.expires_at is not None and row.expires_at <= services.now()
    return row.revoked_at is None and not expired


CallerDep = Annotated[Caller, Depends(authenticate)]


def _having(scope: Scope) -> Callable[[Caller], Awaitable[Caller]]:
    async def caller(caller: CallerDep) -> Caller:
        caller.require(scope)
        return caller

    return caller


Viewer = Annotated[Caller, Depends(_having(Scope.VIEWER))]
Submitter = Annotated[Caller, Depends(_having(Scope.SUBMITTER))]
Admin = Annotated[Caller, Depends(_having(Scope.ADMIN))]
