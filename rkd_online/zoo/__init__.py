"""The tiny models that come with the package: ``zoo:chain-sum/teacher`` and its student."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from rkd_online.errors import SpecError

PREFIX: Final = "zoo:"

PAIRS: Final[dict[str, tuple[str, ...]]] = {
    "chain-sum": ("teacher", "student", "novice"),
    "knights-knaves": ("teacher", "student"),
}
"""The models of each pair."""


def zoo_path(reference: str) -> Path:
    """The folder of a bundled model, named as ``zoo:PAIR/NAME``."""
    pair, _, name = reference.removeprefix(PREFIX).partition("/")
    if not reference.startswith(PREFIX) or name not in PAIRS.get(pair, ()):
        known = ", ".join(f"{PREFIX}{pair}/{name}" for pair in PAIRS for name in PAIRS[pair])
        raise SpecError(f"no bundled model is called {reference!r}: choose one of {known}")
    return Path(str(files(__name__) / pair / name))
