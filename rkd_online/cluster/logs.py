"""The ends of actors' logs, kept with an attempt: Ray's own go with its cluster."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ray.util.state import get_log
from ray.util.state.exception import RayStateApiException

from rkd_online.log_end import LogEnd, readable

LINES: Final = 1000
LOG_SECONDS: Final = 5
"""Time that the agent of a node has for one log."""
ALL_SECONDS: Final = 8.0
"""Longest wait for all logs: the room of the job is held meanwhile, and a run that is stopped has
20 seconds in all."""
STREAMS: Final = ("out", "err")

log = logging.getLogger(__name__)


async def keep_logs(folder: Path, actors: Mapping[str, str]) -> None:
    """Write the ends of both logs of each actor, known by its id, below ``folder``, without Ray's
    marks and control sequences. What cannot be kept is told in the driver's own log: it must not
    take the place of how the attempt ended."""
    wanted = [(name, actor, stream) for name, actor in actors.items() for stream in STREAMS]
    reading = [asyncio.to_thread(_keep, folder, *one) for one in wanted]
    try:
        async with asyncio.timeout(ALL_SECONDS):
            await asyncio.gather(*reading)
    except TimeoutError:
        log.warning("the logs of actors were not all read within %g s", ALL_SECONDS)


def _keep(folder: Path, name: str, actor: str, stream: str) -> None:
    try:
        chunks = get_log(
            actor_id=actor, suffix=stream, tail=LINES, timeout=LOG_SECONDS, encoding=None
        )
        end = LogEnd()
        for chunk in chunks:
            end.add(chunk)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name.replace(':', '.')}.{stream}").write_text(readable(end.text()))
    except (RayStateApiException, OSError) as error:  # those of the connection too
        log.warning("the log %s of actor %s was not kept: %s", stream, name, error)
