"""Column types that mean the same on SQLite and PostgreSQL."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import JSON, DateTime, MetaData, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

Word = TypeVar("Word", bound=StrEnum)

NUL = "\x00"

JsonType = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class JsonColumn(TypeDecorator[Any]):
    """JSON without the one character that PostgreSQL has no place for: a log may well have it."""

    impl = JsonType
    cache_ok = True

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> Any | None:
        return without_nul(value)


class TextColumn(TypeDecorator[str]):
    """Text without that character."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        found: str | None = without_nul(value)
        return found


def without_nul(value: Any) -> Any:
    """The value with the replacement character in place of each NUL, however deep it lies."""
    if isinstance(value, str):
        return value.replace(NUL, "\N{REPLACEMENT CHARACTER}") if NUL in value else value
    if isinstance(value, Mapping):
        return {without_nul(name): without_nul(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_nul(one) for one in value]
    return value


class UtcDateTime(TypeDecorator[datetime]):
    """SQLite drops time zones: everything is stored and read as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class WordColumn(TypeDecorator[Word], Generic[Word]):
    """Plain text in the database, so that a later word needs no migration."""

    impl = String(16)
    cache_ok = True

    def __init__(self, words: type[Word]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: Word | None, dialect: Dialect) -> str | None:
        return None if value is None else value.value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Word | None:
        return None if value is None else self.words(value)


class Base(DeclarativeBase):
    """Constraint names are fixed, so that migrations can name them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
