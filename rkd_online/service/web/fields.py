"""Pydantic's validation errors of a request as fields, what is wrong, and the values found."""

from fastapi.exceptions import RequestValidationError
from pydantic import JsonValue
from pydantic_core import ErrorDetails

from rkd_online.service.schemas.problem import FieldError
from rkd_online.spec.invalid import field_problems

LONGEST_VALUE = 200


def field_errors(error: RequestValidationError) -> list[FieldError]:
    """Every error of a request: those of a body that is an object in the words of ``rkd
    validate``."""
    found: list[ErrorDetails] = list(error.errors())
    if found[0]["type"] == "json_invalid":
        return [FieldError(field="", message=f"the body is not JSON: {found[0]['ctx']['error']}")]
    # Parameters have no model around them, and a run's events are a list.
    in_object = isinstance(error.body, dict)
    inside = [one for one in found if in_object and one["loc"][0] == "body"]
    problems = [_plain(one) for one in found if one not in inside]
    for one in inside:
        one["loc"] = one["loc"][1:]
    return problems + [
        FieldError(field=one.field, message=one.message, value=_short(one.value))
        for one in field_problems(inside)
    ]


def _plain(found: ErrorDetails) -> FieldError:
    names = [str(part) for part in found["loc"][1:]]
    message = found["msg"].removeprefix("Value error, ")
    value = None if found["type"] == "missing" else _short(found["input"])
    return FieldError(field=".".join(names), message=message, value=value)


def _short(value: object) -> JsonValue:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "..."
