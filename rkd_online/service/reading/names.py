"""What the files of an attempt are called."""

from typing import Final

MANIFEST: Final = "manifest.json"
"""Written last: a folder without it is no checkpoint."""


def step_name(step: int, suffix: str = "") -> str:
    """What belongs to a step."""
    return f"step-{step:06d}{suffix}"


def step_of(name: str, suffix: str = "") -> int | None:
    """The step of such a name; None for any other."""
    number = name.removeprefix("step-").removesuffix(suffix)
    if not number.isascii() or not number.isdecimal():
        return None
    return int(number) if name == step_name(int(number), suffix) else None
