"""What the text of a path may be, whatever lies there."""

import re
import unicodedata
from typing import Final

LONGEST_PATH: Final = 1024
"""Signs of a path."""
LONGEST_NAME: Final = 255
"""Bytes of one of its parts: the limit of Linux file systems, beyond which they raise."""
LONGEST_SHOWN: Final = 240
"""Signs of a path in a message."""

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories: control, format (which turns the direction of writing), half of a pair, and
the two separators of lines."""


def shown(text: str) -> str:
    """A path as a message shows it: on one line, and not for ever."""
    return repr(text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "...")


def path_text_problem(text: str) -> str | None:
    """Why this cannot be the path of anything; None where it can.

    Looks at the text alone, so that it says nothing of what there is.
    """
    if len(text) > LONGEST_PATH:
        return f"has {len(text)} signs, a path may have {LONGEST_PATH}"
    if any(unicodedata.category(sign) in _INVISIBLE for sign in text):
        return "has control characters or invisible ones: leave them out"
    if "::" in text or ":/" in text or _SCHEME.match(text):
        return "is an address or a chain of file systems: give the absolute path of a local folder"
    if not text.startswith("/") or text.startswith("//"):
        return "is not absolute: give a path that begins with one /"
    parts = text.split("/")
    if ".." in parts:
        return "has .. in it: give the path without"
    if any(len(part.encode()) > LONGEST_NAME for part in parts):
        return f"has a part of more than {LONGEST_NAME} bytes"
    return None
