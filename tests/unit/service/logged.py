"""The log of this process as JSON, read back."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rkd_online.service.settings import Settings
from rkd_online.service.telemetry.logs import LineHandler


class Logged:
    """What was written."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    def records(self, event: str | None = None) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.text.splitlines()]
        return [one for one in found if event in (None, one["event"])]


@contextmanager
def logged(settings: Settings, level: int = logging.INFO) -> Iterator[Logged]:
    """The service's records at this level, as ``rkd serve`` writes them."""
    stream, ours = io.StringIO(), logging.getLogger("rkd_online")
    handler = LineHandler(stream, settings.model_copy(update={"log_format": "json"}))
    before = ours.level
    ours.setLevel(level)
    ours.addHandler(handler)
    try:
        yield Logged(stream)
    finally:
        ours.removeHandler(handler)
        ours.setLevel(before)
