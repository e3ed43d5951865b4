"""A job as the flat parameters, and the names, that MLflow takes."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

LONGEST_NAME: Final = 250
LONGEST_VALUE: Final = 6000
_NOT_TAKEN: Final = re.compile(r"[^/\w.\- ]", re.ASCII)


def parameters(spec: Mapping[str, Any]) -> dict[str, str]:
    """Every field of a job by its dotted path, a number in it for a place in a list. Text is as it
    is, everything else as JSON has it; what is too long is cut."""
    return {taken_name(path): _cut(value) for path, value in _flat(spec, "")}


def taken_name(name: str) -> str:
    """The name with ``_`` for every sign that MLflow does not take, such as a ``+``."""
    return _NOT_TAKEN.sub("_", name)[:LONGEST_NAME]


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    inner: Mapping[Any, Any] = {}
    if isinstance(value, Mapping):
        inner = value
    elif isinstance(value, list | tuple):
        inner = dict(enumerate(value))
    if not inner:
        yield path, value
    for name, one in inner.items():
        yield from _flat(one, f"{path}.{name}" if path else str(name))


def _cut(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."
