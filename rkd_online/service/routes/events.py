"""A job's events, as pages and as a stream that can be resumed."""

import time
from collections.abc import AsyncIterator
from typing import Annotated

import anyio
from fastapi import APIRouter, Header, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from rkd_online.service.access.authentication import Bearer, Viewer, identify
from rkd_online.service.access.caller import LOCAL, Caller
from rkd_online.service.feed import event_record
from rkd_online.service.routes.access import JobId, visible
from rkd_online.service.schemas.answer import Page
from rkd_online.service.schemas.event import Event, StreamEnd
from rkd_online.service.services import Services, ServicesDep
from rkd_online.service.state import TERMINAL
from rkd_online.service.store import events, jobs
from rkd_online.service.store.tables import EventRow
from rkd_online.service.web.problems import documented

HEARTBEAT_SECONDS = 15
KEY_SECONDS = 15.0
"""A stream's key is looked at again after this long."""
LEAVE_SECONDS = 1.0
"""A stream sees this often whether the process is to end."""
GRACE_SECONDS = 3.0
"""At SIGTERM a stream closes as soon as it sees it; this is when it is cut off instead."""

router = APIRouter(prefix="/v1", tags=["events"])

MOST = 2**31 - 1
After = Annotated[int, Query(ge=0, le=MOST)]


@router.get("/jobs/{job_id}/events", responses=documented(401, 404, 429))
async def list_events(
    job_id: JobId,
    caller: Viewer,
    services: ServicesDep,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page[Event]:
    """The events behind number ``after``, oldest first."""
    found = await _read(services, caller, job_id, after, limit + 1)
    shown = found[:limit]
    return Page(
        data=[event_record(row) for row in shown],
        has_more=len(found) > limit,
        next=str(shown[-1].number) if len(found) > limit else None,
    )


@router.get(
    "/jobs/{job_id}/events/stream",
    response_class=EventSourceResponse,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **documented(401, 404, 429),
    },
)
async def stream_events(
    job_id: JobId,
    caller: Viewer,
    services: ServicesDep,
    bearer: Bearer,
    after: After = 0,
    last_event_id: Annotated[int | None, Header(ge=0, le=MOST)] = None,
) -> EventSourceResponse:
    """The same events as they come, each with its number as id; ``end`` closes the stream.

    ``Last-Event-ID`` wins over ``after``: a browser that reconnects repeats the first URL. A stream
    ends, without ``end``, when its key is revoked.
    """
    start = after if last_event_id is None else last_event_id
    await _read(services, caller, job_id, start, 1)
    leaving = anyio.Event()
    key = bearer.credentials if bearer else ""
    return EventSourceResponse(
        _stream(services, Reader(services, caller, key), job_id, start, leaving),
        ping=HEARTBEAT_SECONDS,
        shutdown_event=leaving,
        shutdown_grace_period=GRACE_SECONDS,
        headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"},
    )


class Reader:
    """Who reads a stream, and the key that opened it. A job never changes its project."""

    def __init__(self, services: Services, caller: Caller, key: str) -> None:
        self._services = services
        self._caller = caller
        self._key = key
        self._seen = services.bell.key_changes
        self._checked_at = time.monotonic()

    async def still_allowed(self) -> bool:
        """Whether the key is still good: asked where a key was changed in this process, and now and
        then, since another one may have done it, or its time is over."""
        changes = self._services.bell.key_changes
        due = time.monotonic() - self._checked_at > KEY_SECONDS
        if self._caller is LOCAL or not (due or changes != self._seen):
            return True
        self._seen, self._checked_at = changes, time.monotonic()
        with anyio.CancelScope(shield=True):
            known = await identify(self._services, self._key)
        return known is not None


async def _stream(
    services: Services, reader: Reader, job_id: str, after: int, leaving: anyio.Event
) -> AsyncIterator[ServerSentEvent]:
    """Without ``end`` the reader knows that only the server is going, and comes back."""
    with services.feeds.follow(job_id) as feed:
        while not leaving.is_set() and await reader.still_allowed():
            news = await feed.after(after)
            for line in news.lines:
                after = line.number
                yield ServerSentEvent(line.data, event=line.type, id=str(line.number))
            if news.lines:
                continue
            if news.status in TERMINAL:
                yield ServerSentEvent(StreamEnd(status=news.status).model_dump_json(), event="end")
                return
            await feed.wait(LEAVE_SECONDS)


async def _read(
    services: Services, caller: Caller, job_id: str, after: int, limit: int
) -> list[EventRow]:
    async with services.database.read() as session:
        visible(caller, await jobs.find(session, job_id), job_id)
        return list(await events.after(session, job_id, after, limit))
