"""The control plane as an ASGI app."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware.trustedhost import TrustedHostMiddleware

from rkd_online import __version__
from rkd_online.service import openapi, problems
from rkd_online.service.bell import Bell
from rkd_online.service.clock import Now, utc_now
from rkd_online.service.launchers.base import Launcher
from rkd_online.service.launchers.ray_jobs import RayJobs
from rkd_online.service.reconciler import Reconciler
from rkd_online.service.request_id import RequestIdMiddleware
from rkd_online.service.routes import events, health, internal, jobs
from rkd_online.service.services import Services
from rkd_online.service.settings import Settings
from rkd_online.service.store.engine import Database


def create_app(
    settings: Settings, launcher: Launcher | None = None, *, now: Now = utc_now
) -> FastAPI:
    """An app with its own database connections; Ray's Jobs API unless a launcher is given."""
    services = _services(settings, launcher or RayJobs(settings), now)
    app = FastAPIOffline(  # its /docs loads no script from elsewhere into this origin
        title="rkd_online",
        summary="Online distillation of reasoning models: jobs, their events and reports.",
        version=__version__,
        lifespan=_lifespan,
        redoc_url=None,
    )
    app.state.services = services
    problems.install(app)
    for router in (jobs.router, events.router, internal.router, health.router):
        app.include_router(router, responses=problems.documented(422, 500))
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_hosts(settings))
    app.add_middleware(RequestIdMiddleware)
    app.openapi = partial(openapi.describe, app)  # type: ignore[method-assign]
    return app


def _services(settings: Settings, launcher: Launcher, now: Now) -> Services:
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    database, bell = Database(settings.database), Bell()
    reconciler = Reconciler(settings, database, launcher, bell, now)
    return Services(settings, database, launcher, bell, reconciler, now)


def _hosts(settings: Settings) -> list[str]:
    """Names this API answers to. Without the check a web page could reach it by DNS rebinding."""
    public = urlsplit(settings.control_url).hostname
    return ["127.0.0.1", "localhost", "[::1]", settings.host, *([public] if public else [])]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    await services.database.upgrade()
    reconciling = asyncio.create_task(services.reconciler.run())
    try:
        yield
    finally:
        reconciling.cancel()
        with suppress(asyncio.CancelledError):
            await reconciling
        await services.launcher.close()
        await services.database.close()
