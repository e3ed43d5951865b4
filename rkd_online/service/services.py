"""What the routes work with, made once per app."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from rkd_online.service.access.keys import Digests
from rkd_online.service.access.known_keys import KnownKeys
from rkd_online.service.bell import Bell
from rkd_online.service.clock import Now
from rkd_online.service.feed import Feeds
from rkd_online.service.job_storage import JobStorage
from rkd_online.service.launchers.base import Launcher
from rkd_online.service.launchers.watched import WatchedRoom
from rkd_online.service.naming import NameChecker
from rkd_online.service.reconcile.reconciler import Reconciler
from rkd_online.service.safety.redaction import Redactor
from rkd_online.service.settings import Settings
from rkd_online.service.store.engine import Database
from rkd_online.service.telemetry.recorder import Recorder
from rkd_online.service.web.limits import Limits


@dataclass(frozen=True, slots=True)
class Services:
    """Everything behind the routes."""

    settings: Settings
    database: Database
    launcher: Launcher
    bell: Bell
    feeds: Feeds
    reconciler: Reconciler
    room: WatchedRoom
    digests: Digests
    known_keys: KnownKeys
    limits: Limits
    names: NameChecker
    storage: JobStorage
    redactor: Redactor
    recorder: Recorder
    now: Now


async def _of(request: Request) -> Services:
    return cast(Services, request.app.state.services)


ServicesDep = Annotated[Services, Depends(_of)]
