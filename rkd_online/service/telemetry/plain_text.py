"""Records as people read them, so that nothing that is told can pass for a record of its own."""

from typing import Any, Final

from structlog.typing import EventDict, WrappedLogger

MARGIN: Final = "    "
"""Records begin at the left edge, and nothing else does."""


def plain_text(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A processor: no sign of a value reaches the terminal but what can be printed, and what has
    several lines stands below the record."""
    first, *more = str(event["event"]).splitlines() or [""]
    below = [*more, *str(event.get("exception", "")).splitlines()]
    shown = {name: _value(value) for name, value in event.items() if name != "exception"}
    shown["event"] = printable(first)
    if below:
        shown["exception"] = "\n".join(MARGIN + printable(line) for line in below)
    return shown


def _value(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    return printable(value if isinstance(value, str) else repr(value))


def printable(text: str) -> str:
    """The text with every sign that a terminal would act on written out; tabs stay."""
    return "".join(
        sign if sign.isprintable() or sign == "\t" else ascii(sign)[1:-1] for sign in text
    )
