"""``rkd serve``: the API, and a local Ray beside it where asked for."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import uvicorn

from rkd_online.errors import ServiceError
from rkd_online.service.app import create_app, ready_schema
from rkd_online.service.local_ray import LocalRay
from rkd_online.service.safety.redaction import install, redactor_of
from rkd_online.service.settings import Settings
from rkd_online.service.store.file_lock import held
from rkd_online.service.telemetry.logs import log_to_stderr
from rkd_online.service.variables import misspelt

log = logging.getLogger(__name__)

DRAIN_SECONDS = 5
"""Event streams end at once at SIGTERM; other requests get this long."""


def _say_nothing(settings: Settings) -> None:
    return None


def serve(
    settings: Settings, *, local_ray: bool, announce: Callable[[Settings], None] = _say_nothing
) -> None:
    """Serve until SIGTERM or Ctrl-C. What cannot work is refused before anything is started.

    ``announce`` is called with the settings in use when the API answers and Ray, where asked for,
    is up.
    """
    refuse_open(settings)
    if local_ray and settings.launcher != "shared":
        raise ServiceError(
            f"RKD_LAUNCHER is {settings.launcher}, and runs would never reach a local Ray: leave "
            "out --local-ray, or RKD_LAUNCHER"
        )
    ready_folder(settings.data_dir)
    with (
        log_to_stderr(settings),
        _ended_by_signal(),
        held(settings.database),
        listen(settings) as listener,
    ):
        for warning in misspelt(os.environ):
            log.warning(warning)
        asyncio.run(ready_schema(settings.database))
        if local_ray:
            log.info("starting a local Ray")
            with closing(LocalRay.start(settings)) as ray:
                try:
                    _run(ray.reached_by(settings), listener, announce)
                finally:
                    log.info("ending the local Ray")
        else:
            _run(settings, listener, announce)


def ready_folder(folder: Path) -> None:
    """Make the data folder; raises ServiceError where nothing can be written there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        problem = "" if os.access(folder, os.W_OK | os.X_OK) else "read-only, or not this user's"
    except OSError as error:
        problem = str(error)
    if problem:
        raise ServiceError(
            f"the data folder {folder} cannot be used ({problem}): name another with --data-dir "
            "or RKD_DATA_DIR; in a container, mount a volume there"
        )


def refuse_open(settings: Settings) -> None:
    """Raise ServiceError where other machines could reach an API without keys."""
    if settings.auth == "off" and not settings.loopback:
        raise ServiceError(
            f"host {settings.host!r} can be reached from other machines, and RKD_AUTH is off: "
            "leave RKD_AUTH at keys, or use 127.0.0.1"
        )


def _run(settings: Settings, listener: socket.socket, announce: Callable[[Settings], None]) -> None:
    config = uvicorn.Config(
        create_app(settings),
        timeout_graceful_shutdown=DRAIN_SECONDS,
        log_config=None,  # its records go where all others go
        log_level="warning",
        access_log=False,
    )
    # Again: the token of a local Ray is known by now.
    with log_to_stderr(settings):
        install(redactor_of(settings))
        _Server(config, lambda: announce(settings)).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Tells when it is up."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn, which ends the process where the app cannot start."""
        await super().startup(sockets)
        await asyncio.to_thread(self._announce)


@contextmanager
def listen(settings: Settings) -> Iterator[socket.socket]:
    """The socket of the API, refused with a ServiceError where something else has the port."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            raise ServiceError(
                f"port {settings.port} on {settings.host} cannot be used ({error.strerror}): stop "
                "what listens there, or choose another with --port or RKD_PORT"
            ) from error
        listener.listen()
        yield listener


class _Ended(BaseException):
    """SIGTERM came."""


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """SIGTERM and Ctrl-C end this block in order at any point, a starting Ray included.

    Uvicorn takes both signals while it serves and raises them again when it has drained.
    """

    def leave(signum: int, frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Ended

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    except (_Ended, KeyboardInterrupt):
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
