"""Every change in one transaction: what it does, its audit entry, and its answer.

A POST with an ``Idempotency-Key`` is done once: the same request again gets the same answer, also
when it comes while the first one is under way. An error is no answer: nothing of it is kept, and
the request may be made again with the same key.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.access.authentication import CallerDep
from rkd_online.service.access.caller import Caller
from rkd_online.service.services import Services, ServicesDep
from rkd_online.service.store import answers, audit
from rkd_online.service.store.audit import Actor
from rkd_online.service.web.limits import address_of
from rkd_online.service.web.problems import ApiError
from rkd_online.service.web.replayed import KeptAnswer, Replayed
from rkd_online.service.web.request_id import request_id

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="Any text of your own: the request is then done once, however often it comes.",
    ),
]


class Change:
    """One request that changes something."""

    def __init__(self, services: Services, caller: Caller, request: Request, key: str | None):
        self._services = services
        self._request = request
        self._key = key
        self.caller = caller
        self._answer: KeptAnswer | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """The transaction of the change. Raises `Replayed` where it was made before."""
        digest = await self._digest() if self._key else ""
        async with self._services.database.write() as session:
            if self._key:
                await self._claim(session, self._key, digest)
            yield session
            if self._key and (kept := self._answer):
                await answers.keep(
                    session, self.caller.id, self._key, kept.status, kept.headers, kept.body
                )

    async def note(
        self, session: AsyncSession, action: str, target: str, *, project: str | None, **data: Any
    ) -> None:
        """Add an audit entry."""
        actor = Actor(self.caller.id, address_of(self._request), request_id())
        now = self._services.now()
        await audit.note(session, actor, now, action, target, project=project, **data)

    def answer(
        self, status: int, body: BaseModel, headers: Mapping[str, str] | None = None
    ) -> Response:
        """The answer, kept with the change where the request has a key."""
        self._answer = KeptAnswer(status, dict(headers or {}), body.model_dump_json())
        return self._answer.response()

    async def _claim(self, session: AsyncSession, key: str, digest: str) -> None:
        if await answers.claim(session, self.caller.id, key, digest, self._services.now()):
            return
        found = await answers.find(session, self.caller.id, key)
        assert found is not None
        if found.request_sha256 != digest:
            raise ApiError(
                422,
                "idempotency_key_reused",
                f"the Idempotency-Key {key!r} came with another request before: take a new one",
            )
        raise Replayed(KeptAnswer(found.status, found.headers, found.body))

    async def _digest(self) -> str:
        """Of the method, the address and the body, however the body is written."""
        canonical = ""
        if (await self._request.body()).strip():
            try:
                canonical = json.dumps(await self._request.json(), sort_keys=True)
            except json.JSONDecodeError as error:
                raise ApiError(
                    422, "invalid_request", f"the body is not JSON: {error.msg}"
                ) from error
        url = self._request.url
        parts = (self._request.method, url.path, url.query, canonical)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


async def _change(
    request: Request,
    caller: CallerDep,
    services: ServicesDep,
    idempotency_key: IdempotencyKey = None,
) -> Change:
    return Change(services, caller, request, idempotency_key)


ChangeDep = Annotated[Change, Depends(_change)]
