"""Pydantic's errors as lines that name the field, the value found and what is allowed."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rkd_online.spec.job import JobSpec

Models: TypeAlias = tuple[type[BaseModel], ...]

LONGEST_VALUE: Final = 80
_SUBJECT: Final = re.compile(r"^\w+ should\b")


class FieldProblem(NamedTuple):
    """The dotted path of a field, empty for the job as a whole; what is wrong; what was found."""

    field: str
    message: str
    value: object


def describe(error: ValidationError) -> list[str]:
    """One line for each thing that is wrong with a job, led by its field."""
    return [
        f"{found.field}: {found.message}" if found.field else found.message
        for found in field_problems(error.errors(include_url=False))
    ]


def field_problems(errors: Sequence[ErrorDetails]) -> list[FieldProblem]:
    """Each thing that is wrong with a job, from what pydantic found."""
    places = [found["loc"] for found in errors]
    return [_problem(found) for found in errors if not _echo(found, places)]


def suggestion(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known names, empty where none is near."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def _echo(found: ErrorDetails, places: Sequence[tuple[int | str, ...]]) -> bool:
    """Pydantic also calls a list too short whose entries are all wrong; those are listed."""
    here = found["loc"]
    return found["type"] == "too_short" and any(
        place != here and place[: len(here)] == here for place in places
    )


def _problem(found: ErrorDetails) -> FieldProblem:
    names, models = _place(found["loc"])
    field = ".".join(names)
    if not names:
        return FieldProblem(field, _message(found), None)
    if found["type"] in _TAGS:
        field += ".type"
    say = _WORDS.get(found["type"], _wrong_value)
    value = None if found["type"] == "missing" else found["input"]
    return FieldProblem(field, say(names[-1], found, models), value)


def _message(found: ErrorDetails) -> str:
    return found["msg"].removeprefix("Value error, ")


def _wrong_value(name: str, found: ErrorDetails, models: Models) -> str:
    if isinstance(found["input"], Mapping):  # parts that do not fit: the message names them
        return _message(found)
    message = _SUBJECT.sub("should", _message(found))
    near = ""
    if found["type"] == "literal_error":
        near = suggestion(str(found["input"]), _quoted(found["ctx"]["expected"]))
    return f"found {_short(found['input'])}, {message}{near}"


def _missing(name: str, found: ErrorDetails, models: Models) -> str:
    return "missing, it has no default"


def _unknown_key(name: str, found: ErrorDetails, models: Models) -> str:
    known = [name for model in models for name in model.model_fields]
    near = suggestion(name, known)
    value = _short(found["input"])
    return f"unknown key (found {value}){near} (allowed: {', '.join(known)})"


def _not_a_path(name: str, found: ErrorDetails, models: Models) -> str:
    return f"found {_short(found['input'])}, should be the path of a file"


def _not_a_mapping(name: str, found: ErrorDetails, models: Models) -> str:
    return f"found {_short(found['input'])}, should be a mapping of field names"


def _wrong_tag(name: str, found: ErrorDetails, models: Models) -> str:
    context = found["ctx"]
    near = suggestion(context["tag"], _quoted(context["expected_tags"]))
    return f"found {context['tag']!r}, should be {context['expected_tags']}{near}"


def _no_tag(name: str, found: ErrorDetails, models: Models) -> str:
    tags = ", ".join(repr(tag) for model in models for tag in _tags(model))
    return f"missing, should be {tags}"


_WORDS: Final[dict[str, Callable[[str, ErrorDetails, Models], str]]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_key,
    "path_type": _not_a_path,
    "model_type": _not_a_mapping,
    "model_attributes_type": _not_a_mapping,
    "union_tag_invalid": _wrong_tag,
    "union_tag_not_found": _no_tag,
}


_TAGS: Final = frozenset({"union_tag_invalid", "union_tag_not_found"})
"""Errors about which member of a union is meant: its ``type`` is the field."""


def _place(location: Sequence[int | str]) -> tuple[list[str], Models]:
    """The dotted path without the tags that pydantic puts into it, and the models it ends in.

    Of an unknown key these are the models that the key was looked for in.
    """
    names: list[str] = []
    models: Models = (JobSpec,)
    for part in location:
        if isinstance(part, int):
            names.append(str(part))
        elif len(models) > 1:
            models = tuple(model for model in models if part in _tags(model))
        else:
            names.append(part)
            fields = models[0].model_fields if models else {}
            models = tuple(_models(fields[part].annotation)) if part in fields else models
    return names, models


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    return get_args(model.model_fields["type"].annotation)


def _quoted(text: str) -> list[str]:
    """The names between quotes in pydantic's ``'a', 'b' or 'c'``."""
    return text.split("'")[1::2]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "..."
