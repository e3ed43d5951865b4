"""Logs without secrets: a filter for the handlers of logging, and a processor for structlog."""

import logging
import sys
import traceback
from collections.abc import Iterable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, Final
from urllib.parse import unquote

from pydantic import SecretStr
from sqlalchemy.engine import make_url

from rkd_online.service.safety.secret_text import (
    hidden,
    is_secret_name,
    spellings,
    without_secrets,
)
from rkd_online.service.settings import Settings

DEEPEST: Final = 8
"""Containers in one another that are looked into; what lies deeper is written as text."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
"""Fields that every record has; all others came by ``extra``."""


class Redactor:
    """Takes secrets out of log records before anything writes them.

    ``secrets`` are values that are known; others are found by what they look like and by the names
    of the fields that hold them.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = spellings(secrets)

    def text(self, text: str) -> str:
        """The text with every secret in it hidden."""
        return without_secrets(text, self._known)

    def value(self, value: Any, depth: int = 0) -> Any:
        """The same value with every secret in it hidden; what has none is left as it is."""
        if isinstance(value, str):
            return self.text(value)
        if depth < DEEPEST and isinstance(value, Mapping):
            return {self.value(name): self.field(name, one, depth) for name, one in value.items()}
        if depth < DEEPEST and isinstance(value, list | tuple | set | frozenset):
            return self._listed(value, depth)
        return self._object(value)

    def field(self, name: object, value: Any, depth: int = 0) -> Any:
        """The value of a field: hidden as a whole where the name says that it is a secret."""
        if value is not None and is_secret_name(name):
            return hidden(value if isinstance(value, str) else repr(value))
        return self.value(value, depth + 1)

    def filter(self, record: logging.LogRecord) -> bool:
        """As `logging.Filter`: changes the record, and lets it through. Belongs on handlers: what
        comes from other loggers passes no filter of theirs."""
        self._message(record)
        if record.exc_info:
            # A formatter would write the exception itself where it finds one.
            record.exc_text = _exception_text(record.exc_info)
            record.exc_info = None
        if record.exc_text:
            record.exc_text = self.text(record.exc_text)
        if record.stack_info:
            record.stack_info = self.text(record.stack_info)
        for name in vars(record).keys() - _STANDARD:
            setattr(record, name, self.field(name, getattr(record, name)))
        return True

    def __call__(
        self, logger: object, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """As a processor of structlog: belongs before the renderer."""
        said: dict[str, Any] = {}
        for name, value in event.items():
            if name == "exc_info":
                if value:
                    said["exception"] = self.text(_exception_text(value))
            elif isinstance(value, logging.LogRecord):  # structlog hands on whole ones
                self.filter(value)
                said[name] = value
            else:
                said[name] = self.field(name, value)
        return said

    def _message(self, record: logging.LogRecord) -> None:
        """Secrets can be made by joining: the whole is looked at behind its parts. Arguments stay
        apart where they can, since some formatters take them by their places."""
        record.args = self.value(record.args)
        try:
            whole = record.getMessage()
        except Exception:  # logging would write message and arguments as they are
            whole = f"{record.msg} {record.args!r}"
            record.msg, record.args = self.text(whole), ()
            return
        clean = self.text(whole)
        if clean != whole or not isinstance(record.msg, str):
            record.msg, record.args = clean, ()

    def _listed(self, value: Any, depth: int) -> Any:
        """A pair of a name and a value, as headers are listed, counts as a field."""
        kind = next(kind for kind in (list, tuple, set, frozenset) if isinstance(value, kind))
        if kind is tuple and len(value) == 2 and isinstance(value[0], str | bytes):
            return (self.value(value[0]), self.field(value[0], value[1], depth))
        return kind(self.value(one, depth + 1) for one in value)

    def _object(self, value: Any) -> Any:
        """Whatever it is, a log has its text alone."""
        try:
            written = (str(value), repr(value))
        except Exception:
            return f"a {type(value).__name__} that cannot be written"
        clean = tuple(map(self.text, written))
        return value if clean == written else clean[0]


def redactor_of(settings: Settings) -> Redactor:
    """What hides the secrets of these settings: every secret field, Ray's token, the password of
    the database."""
    fields = (getattr(settings, name) for name in type(settings).model_fields)
    secrets = [field.get_secret_value() for field in fields if isinstance(field, SecretStr)]
    password = make_url(settings.database).password
    given = [str(password), unquote(str(password))] if password is not None else []
    return Redactor([*secrets, settings.ray_token, *given])


def install(redactor: Redactor) -> None:
    """Put it on every handler that there is: of the root, of all loggers, and of last resort."""
    known = logging.Logger.manager.loggerDict.values()
    loggers = [logging.getLogger(), *(one for one in known if isinstance(one, logging.Logger))]
    handlers = [handler for logger in loggers for handler in logger.handlers]
    if logging.lastResort is not None:
        handlers.append(logging.lastResort)
    for handler in handlers:
        handler.addFilter(redactor)


_ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


def _exception_text(given: bool | BaseException | _ExcInfo) -> str:
    """The traceback as the standard library writes it, with all causes and notes."""
    if isinstance(given, BaseException):
        given = (type(given), given, given.__traceback__)
    kind, error, trace = given if isinstance(given, tuple) else sys.exc_info()
    return "".join(traceback.format_exception(kind, error, trace)).rstrip("\n")
