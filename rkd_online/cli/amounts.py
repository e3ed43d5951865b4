"""Amounts as they are typed: times, moments, budgets, limits."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from rkd_online.service.schemas.job import Budget

    Model = TypeVar("Model", bound=BaseModel)

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
NONE = "none"
LIMITS = "Budget: a job that has used it up is paused"


def seconds(text: str) -> float:
    """A time such as ``90``, ``90s``, ``15m``, ``8h`` or ``30d``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if found is None or not float(found[1]):
        raise typer.BadParameter(f"{text!r} is no time: write 90s, 15m, 8h or 30d")
    return float(found[1]) * UNITS[found[2]]


def amount(text: str) -> float:
    """A number above 0."""
    try:
        found = finite(float(text))
    except ValueError:
        found = None
    if not found or found < 0:
        raise typer.BadParameter(f"{text!r} is no amount: write a number above 0")
    return found


def moment_to_come(text: str) -> datetime:
    """A date, or a time from now."""
    return _date(text) or datetime.now(UTC) + timedelta(seconds=seconds(text))


def moment_past(text: str) -> datetime:
    """A date, or a time ago."""
    return _date(text) or datetime.now(UTC) - timedelta(seconds=seconds(text))


def finite(value: float | None) -> float | None:
    """Python's floats hold NaN and infinity, and JSON has neither."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value:g} is no number that can be sent")
    return value


def _date(text: str) -> datetime | None:
    """Without a time zone it is one of here."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.astimezone()


BudgetWall = Annotated[
    float | None,
    typer.Option(
        parser=seconds,
        metavar="TIME",
        help="Time that its runs may take together, such as 90m or 8h.",
        rich_help_panel=LIMITS,
    ),
]
BudgetTokens = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Completion tokens that it may sample.", rich_help_panel=LIMITS
    ),
]
BudgetGpuHours = Annotated[
    float | None,
    typer.Option(
        parser=amount,
        metavar="HOURS",
        help="GPU-hours that it may reserve.",
        rich_help_panel=LIMITS,
    ),
]


def budget_values(
    wall: float | None, tokens: int | None, gpu_hours: float | None
) -> dict[str, float]:
    """What is given of a budget, by its names in the API."""
    values = {"wall_seconds": wall, "tokens": tokens, "gpu_hours": gpu_hours}
    return {name: value for name, value in values.items() if value is not None}


def budget_of(values: dict[str, float]) -> "Budget | None":
    """The budget of these values; None where there are none."""
    from rkd_online.service.schemas.job import Budget

    return checked(Budget, values) if values else None


def checked(model: "type[Model]", values: "Mapping[str, Any]") -> "Model":
    """A model of values that were typed. Raises BadParameter for those that it does not take."""
    from pydantic import ValidationError

    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = [f"{one['loc'][0]} is {one['input']:g}: {one['msg']}" for one in error.errors()]
        raise typer.BadParameter("; ".join(found)) from error


def budget_text(budget: "Budget | None") -> str:
    """A budget in one line."""
    if budget is None:
        return NONE
    return ", ".join(f"{name} {value:,.10g}" for name, value in budget.model_dump().items())
