"""What a model's name in a job stands for: a folder, a bundled model or one of the hub."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rkd_online.errors import SpecError
from rkd_online.zoo import PREFIX as ZOO_PREFIX
from rkd_online.zoo import zoo_path

HUB_PREFIX: Final = "hf:"
_HUB_REFERENCE: Final = re.compile(r"hf:(?P<name>[\w.-]+/[\w.-]+)@(?P<revision>[\w./-]+)")


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model of the Hugging Face hub at a fixed revision."""

    name: str
    revision: str


def is_hub_reference(reference: str) -> bool:
    """Whether a model is fetched at the start of a run; no path is known for it before."""
    return reference.startswith(HUB_PREFIX)


def parse_hub_reference(reference: str) -> HubModel:
    """The parts of ``hf:ORG/NAME@REVISION``."""
    match = _HUB_REFERENCE.fullmatch(reference)
    if match is None:
        raise SpecError(
            f"{reference!r} is not of the form hf:ORG/NAME@REVISION; the revision (a commit, tag "
            "or branch) is part of it, so that a job means the same model when it is run again"
        )
    return HubModel(match["name"], match["revision"])


def resolve_model(reference: str, base: Path | None = None) -> Path:
    """The folder of a bundled or local model, whether it exists or not.

    A relative folder is taken from ``base``; without one it is an error, since the process that
    reads it may run anywhere.
    """
    if is_hub_reference(reference):
        raise SpecError(f"{reference!r} has no folder before the start of a run fetches it")
    if reference.startswith(ZOO_PREFIX):
        return zoo_path(reference)
    folder = Path(reference).expanduser()
    if base is not None:
        folder = base / folder
    if not folder.is_absolute():
        raise SpecError(f"{reference!r} is a relative path: give an absolute one")
    return folder


def anchor(reference: str, base: Path) -> str:
    """The same reference with a relative folder taken from ``base``."""
    if reference.startswith((ZOO_PREFIX, HUB_PREFIX)):
        return reference
    return str(resolve_model(reference, base))
