"""Logs of the process: every record a line on stderr, JSON or text, without secrets."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from structlog.contextvars import merge_contextvars
from structlog.dev import ConsoleRenderer
from structlog.processors import TimeStamper
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import EventDict, Processor, WrappedLogger

from rkd_online.service.safety.redaction import Redactor, redactor_of
from rkd_online.service.settings import Settings
from rkd_online.service.telemetry.plain_text import plain_text

FIRST: Final = ("time", "level", "logger", "event")
"""What every record has, and begins with."""
TWICE: Final = frozenset({"message", "asctime", "color_message"})
"""Other handlers and uvicorn leave the event once more in a record."""
PLAIN: Final = frozenset(vars(logging.LogRecord("", 0, "", 0, None, None, None)))
"""What a record has by itself, without what other packages' record factories add."""
CHATTY: Final = ("httpx", "alembic")
"""They tell of every call that they make."""


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes the records of this process. Known by its type, so that others are left alone."""

    def __init__(self, stream: TextIO, settings: Settings) -> None:
        super().__init__(stream)
        terminal = stream.isatty()
        as_json = settings.log_format == "json" or (settings.log_format == "auto" and not terminal)
        self.setFormatter(formatter(redactor_of(settings), as_json=as_json, colors=terminal))


def formatter(redactor: Redactor, *, as_json: bool, colors: bool = False) -> logging.Formatter:
    """The same chain for every record, whichever logger it came from."""
    text = ConsoleRenderer(colors=colors, timestamp_key="time", sort_keys=False, pad_event_to=0)
    written: list[Processor] = [_json] if as_json else [plain_text, text]
    return ProcessorFormatter(
        foreign_pre_chain=[
            merge_contextvars,
            ExtraAdder(),
            _once,
            add_log_level,
            add_logger_name,
            TimeStamper(fmt="iso", utc=True, key="time"),
            _written_traceback,
        ],
        processors=[ProcessorFormatter.remove_processors_meta, redactor, _in_order, *written],
    )


@contextmanager
def log_to_stderr(settings: Settings) -> Iterator[None]:
    """Log like this inside the block; a block in the block takes the outer one's place."""
    levels = _levels(logging.getLevelNamesMapping()[settings.log_level.upper()])
    before = {logger: logger.level for logger in levels}
    others = [one for one in logging.getLogger().handlers if isinstance(one, LineHandler)]
    handler = LineHandler(sys.stderr, settings)
    _exchange(others, [handler], levels)
    try:
        yield
    finally:
        _exchange([handler], others, before)


def _levels(level: int) -> dict[logging.Logger, int]:
    return {
        logging.getLogger(): max(level, logging.INFO),
        logging.getLogger("rkd_online"): level,
        **{logging.getLogger(name): max(level, logging.WARNING) for name in CHATTY},
    }


def _exchange(
    old: list[LineHandler], new: list[LineHandler], levels: dict[logging.Logger, int]
) -> None:
    for logger, level in levels.items():
        logger.setLevel(level)
    for handler in new:
        logging.getLogger().addHandler(handler)
    for handler in old:
        logging.getLogger().removeHandler(handler)
    logging.captureWarnings(bool(new))


def _once(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Ray's and vLLM's record factories put fields of theirs into every record of the process."""
    by_factories = vars(logging.makeLogRecord({})).keys() - PLAIN
    return {name: value for name, value in event.items() if name not in TWICE | by_factories}


def _written_traceback(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A filter that hides secrets leaves a traceback as text."""
    record: logging.LogRecord = event["_record"]
    if record.exc_text and not record.exc_info:
        event["exception"] = record.exc_text
    return event


def _json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    """What JSON does not have is written as Python writes it: a record that a handler cannot format
    would be printed with its arguments as they are."""
    try:
        return json.dumps(event, allow_nan=False, default=repr)
    except (TypeError, ValueError):
        return json.dumps({str(name): repr(value) for name, value in event.items()})


def _in_order(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    return {name: event[name] for name in FIRST} | dict(event)
