"""The ends of logs that Ray's workers wrote, as people read them."""

import re
from typing import Final

MOST_BYTES: Final = 2 << 20
"""Of a log's end: a line can be of any length."""
RAYS_OWN: Final = (":job_id:", ":actor_name:", ":task_name:")
"""Marks that Ray writes into the logs of workers for itself."""
_CONTROL: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
"""ECMA-48's control sequences: colours, and moves of the cursor."""


class LogEnd:
    """Takes a log in chunks and holds no more than ``MOST_BYTES`` of its end: whole lines, unless
    one alone is longer."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._cut = False

    def add(self, chunk: bytes) -> None:
        """What comes next."""
        self._kept += chunk
        self._cut = self._cut or len(self._kept) > MOST_BYTES
        del self._kept[:-MOST_BYTES]

    def text(self) -> str:
        """What is held."""
        kept = self._kept
        begins = kept.index(b"\n") + 1 if self._cut and b"\n" in kept[:-1] else 0
        return kept[begins:].decode(errors="replace")


def readable(text: str) -> str:
    """The text without Ray's marks and without control sequences."""
    lines = _CONTROL.sub("", text).splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(RAYS_OWN))
