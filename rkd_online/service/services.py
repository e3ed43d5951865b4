"""What the routes work with, made once per app."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from rkd_online.service.bell import Bell
from rkd_online.service.clock import Now
from rkd_online.service.launchers.base import Launcher
from rkd_online.service.reconciler import Reconciler
from rkd_online.service.settings import Settings
from rkd_online.service.store.engine import Database


@dataclass(frozen=True, slots=True)
class Services:
    """Everything behind the routes."""

    settings: Settings
    database: Database
    launcher: Launcher
    bell: Bell
    reconciler: Reconciler
    now: Now


def _of(request: Request) -> Services:
    return cast(Services, request.app.state.services)


ServicesDep = Annotated[Services, Depends(_of)]
