"""Long logs without secrets."""

import re
from collections.abc import Iterator
from typing import Final

from rkd_online.service.safety.redaction import Redactor

PIECE: Final = 1 << 16
"""Characters that are searched at once: nothing else of the process runs meanwhile."""
_GOES_ON: Final = re.compile(r"(?:[:=,\"'\\]|bearer)\s*$", re.IGNORECASE)
"""A line behind which the secret that it names may stand."""


def without_secrets(redactor: Redactor, text: str) -> str:
    """The text with every secret in it hidden."""
    return "".join(map(redactor.text, _pieces(text)))


def _pieces(text: str) -> Iterator[str]:
    """Whole lines that belong to nothing behind them; a line of any length is in one piece."""
    kept: list[str] = []
    size = 0
    for line in text.splitlines(keepends=True):
        kept.append(line)
        size += len(line)
        if size >= PIECE and line.strip() and not _GOES_ON.search(line):
            yield "".join(kept)
            kept, size = [], 0
    yield "".join(kept)
