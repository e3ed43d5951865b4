"""Presets: parts of a job under a name, below what the job itself says."""

from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

import yaml

KEY: Final = "preset"
_FOLDER: Final = resources.files(__package__) / "presets"
_EXCLUSIVE: Final = ("algorithm", "phases")
"""Of which a job has one."""


def preset_names() -> list[str]:
    """All of them, in alphabetical order."""
    found = (path.name for path in _FOLDER.iterdir())
    return sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml"))


def preset_text(name: str) -> str:
    """A preset as YAML, with comments."""
    return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def with_preset(job: Mapping[str, Any]) -> dict[str, Any]:
    """The job with what its ``preset`` says where it says nothing itself.

    Mappings are joined key by key, but one whose ``type`` is another takes the place of the
    preset's. Raises ValueError for a name that there is not.
    """
    own = dict(job)
    name = own.pop(KEY, None)
    if name is None:
        return own
    if name not in preset_names():
        raise ValueError(f"preset {name!r} is not known; there are {', '.join(preset_names())}")
    base: dict[str, Any] = yaml.safe_load(preset_text(name))
    if any(key in own for key in _EXCLUSIVE):
        base = {key: value for key, value in base.items() if key not in _EXCLUSIVE or key in own}
    return _joined(base, own)


def _joined(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    joined = {**base, **own}
    for key in base.keys() & own.keys():
        ours, theirs = own[key], base[key]
        both = isinstance(ours, Mapping) and isinstance(theirs, Mapping)
        if both and ours.get("type", theirs.get("type")) == theirs.get("type"):
            joined[key] = _joined(theirs, ours)
    return joined
