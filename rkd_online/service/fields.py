"""Pydantic's validation errors as fields, values and what is allowed."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, get_args

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, JsonValue
from pydantic_core import ErrorDetails

from rkd_online.service.schemas import FieldError
from rkd_online.spec import JobSpec

LIMITS = {
    "greater_than": ("gt", "more than {}"),
    "greater_than_equal": ("ge", "{} or more"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "{} or less"),
    "literal_error": ("expected", "{}"),
    "enum": ("expected", "{}"),
    "union_tag_invalid": ("expected_tags", "{}"),
    "string_pattern_mismatch": ("pattern", "text that matches {}"),
    "too_short": ("min_length", "{} entries or more"),
    "too_long": ("max_length", "{} entries or fewer"),
}
"""For each of pydantic's error types, where its context has the limit and how to say it."""


def field_errors(error: RequestValidationError) -> list[FieldError]:
    """Every error of a request."""
    return [_field_error(found, error.body) for found in error.errors()]


def _field_error(found: ErrorDetails, body: Any) -> FieldError:
    if found["type"] == "json_invalid":
        return FieldError(field="", message=f"the body is not JSON: {found['ctx']['error']}")
    where, *path = found["loc"]
    names = _without_tags(path, body) if where == "body" else [str(part) for part in path]
    return FieldError(
        field=".".join(names),
        message=found["msg"].removeprefix("Value error, "),
        value=_short(found.get("input")) if names and found["type"] != "missing" else None,
        allowed=_allowed(found, names, body),
    )


def _without_tags(path: list[int | str], body: Any) -> list[str]:
    """Pydantic puts the tag of a union into the path; a user looks for the field alone."""
    names = []
    for part in path:
        if isinstance(body, dict) and part not in body and part == body.get("type"):
            continue
        names.append(str(part))
        body = _child(body, part)
    return names


def _child(body: Any, part: int | str) -> Any:
    if isinstance(body, dict):
        return body.get(part)
    if isinstance(body, list) and isinstance(part, int) and part < len(body):
        return body[part]
    return None


def _short(value: Any) -> JsonValue:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else text[:200] + "..."


def _allowed(found: ErrorDetails, names: list[str], body: Any) -> str | None:
    if found["type"] == "extra_forbidden":
        with suppress(KeyError):  # not a job spec
            return "one of: " + ", ".join(_known_keys(JobSpec, names[:-1], body))
    key, words = LIMITS.get(found["type"], ("", ""))
    context = found.get("ctx", {})
    return words.format(context[key]) if key in context else None


def _known_keys(model: type[BaseModel], names: list[str], body: Any) -> list[str]:
    """Keys that the spec has where ``names`` leads, through the union members that are chosen."""
    for name in names:
        body = _child(body, int(name) if name.isdigit() else name)
        if not name.isdigit():
            candidates = list(_models(model.model_fields[name].annotation))
        model = next((found for found in candidates if _chosen(found, body)), candidates[0])
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _chosen(model: type[BaseModel], body: Any) -> bool:
    tag = model.model_fields.get("type")
    return (
        tag is not None and isinstance(body, dict) and body.get("type") in get_args(tag.annotation)
    )
