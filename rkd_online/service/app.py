"""The control plane as an ASGI app."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from rkd_online import __version__
from rkd_online.service.access.first_key import ensure_first_key
from rkd_online.service.access.keys import Digests, read_key, read_pepper
from rkd_online.service.access.known_keys import KnownKeys
from rkd_online.service.bell import Bell
from rkd_online.service.clock import Now, utc_now
from rkd_online.service.feed import Feeds
from rkd_online.service.job_storage import storage_of
from rkd_online.service.launchers.base import Launcher
from rkd_online.service.launchers.choose import launcher_of
from rkd_online.service.launchers.quiet import QuietLauncher
from rkd_online.service.launchers.watched import WatchedRoom
from rkd_online.service.naming import NameChecker
from rkd_online.service.reconcile.reconciler import Reconciler
from rkd_online.service.routes import (
    actions,
    audit,
    checkpoints,
    events,
    health,
    internal,
    jobs,
    keys,
    logs,
    metrics,
    projects,
    results,
    rollouts,
    scrape,
    whoami,
)
from rkd_online.service.safety.limits import limits_of
from rkd_online.service.safety.redaction import redactor_of
from rkd_online.service.services import Services
from rkd_online.service.settings import Settings
from rkd_online.service.store import schema
from rkd_online.service.store.engine import Database, is_sqlite
from rkd_online.service.telemetry.recorder import Recorder
from rkd_online.service.web import openapi, problems
from rkd_online.service.web.body import BodyCapMiddleware
from rkd_online.service.web.hosts import HostMiddleware
from rkd_online.service.web.limits import Limits
from rkd_online.service.web.request_id import RequestIdMiddleware
from rkd_online.service.web.watch import WatchMiddleware

PASS_SECONDS: Final = 10.0
"""Time that a pass over the jobs has to end when the process is to end."""
PEPPER: Final = "key-pepper"
ROUTERS: Final = (
    jobs.router,
    actions.router,
    events.router,
    results.router,
    metrics.router,
    rollouts.router,
    checkpoints.router,
    logs.router,
    projects.router,
    keys.router,
    audit.router,
    whoami.router,
    internal.router,
    health.router,
    scrape.router,
)


def create_app(
    settings: Settings, launcher: Launcher | None = None, *, now: Now = utc_now
) -> FastAPI:
    """An app with its own database connections, and the launcher of its settings unless one is
    given. Raises ServiceError where that cannot work."""
    services = _services(settings, launcher, now)
    app = FastAPIOffline(  # its /docs loads no script from elsewhere into this origin
        title="rkd_online",
        summary="Online distillation of reasoning models: jobs, their events and reports.",
        version=__version__,
        lifespan=_lifespan,
        redoc_url=None,
        generate_unique_id_function=openapi.operation_id,
    )
    app.state.services = services
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router, responses=problems.documented(422, 500))
    app.add_middleware(BodyCapMiddleware)
    app.add_middleware(HostMiddleware, names=_hosts(settings))
    app.add_middleware(WatchMiddleware, recorder=services.recorder)
    app.add_middleware(RequestIdMiddleware)
    app.openapi = partial(openapi.describe, app)  # type: ignore[method-assign]
    return app


def _services(settings: Settings, given: Launcher | None, now: Now) -> Services:
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    pepper = read_pepper(settings.data_dir / PEPPER, settings.key_pepper.get_secret_value())
    recorder = Recorder()
    database, bell, digests = Database(settings.database, recorder), Bell(), Digests(pepper)
    launcher = given or launcher_of(settings, digests.token)
    names = NameChecker(limits_of(settings, shared=not settings.loopback), database)
    redactor, storage = redactor_of(settings), storage_of(settings)
    quiet, room = QuietLauncher(launcher, redactor, recorder), WatchedRoom(launcher, recorder, now)
    reconciler = Reconciler(
        settings, database, quiet, room, bell, names, storage, digests.token, recorder, now
    )
    limits = Limits(settings.requests_per_minute)
    return Services(
        settings=settings,
        database=database,
        launcher=launcher,
        bell=bell,
        feeds=Feeds(database, bell),
        reconciler=reconciler,
        room=room,
        digests=digests,
        known_keys=KnownKeys(database, bell),
        limits=limits,
        names=names,
        storage=storage,
        redactor=redactor,
        recorder=recorder,
        now=now,
    )


def _hosts(settings: Settings) -> list[str]:
    """Names this API answers to, beside addresses."""
    public = urlsplit(settings.control_url).hostname
    named = ["localhost", settings.host, *settings.allowed_hosts]
    return [*named, public] if public else named


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    await prepare(services)
    reconciling = asyncio.create_task(services.reconciler.run())
    try:
        yield
    finally:
        services.reconciler.end()
        # A pass that is cut off could leave a transaction open; one may wait for the cluster.
        await asyncio.wait([reconciling], timeout=PASS_SECONDS)
        reconciling.cancel()
        with suppress(asyncio.CancelledError):
            await reconciling
        await services.launcher.close()
        await services.database.close()
        services.storage.close()


async def prepare(services: Services) -> None:
    """A schema of this version, and a first key."""
    await ready_schema(services.settings.database)
    if services.settings.auth == "keys":
        folder = services.settings.data_dir
        given = read_key(services.settings.first_key.get_secret_value())
        await ensure_first_key(services.database, services.digests, folder, given, services.now)


async def ready_schema(url: str) -> None:
    """A file is brought up to date by the one process that has it; a server's database only on
    purpose, since others may be using it: raises ServiceError where it is not up to date."""
    if is_sqlite(url):
        await schema.upgrade(url)
    else:
        await schema.check(url)
