"""What every answer of the API is made from. Clients read these models, and so no database
or web package is imported beside them."""

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

Item = TypeVar("Item")


class Answer(BaseModel):
    """What the API answers: an older client ignores what it does not know."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)


class Page(Answer, Generic[Item]):
    """A part of a list."""

    object: Literal["list"] = "list"
    """Always ``list``."""
    data: list[Item]
    """The entries."""
    has_more: bool
    """Whether there are more behind these."""
    next: str | None
    """What to pass as ``after`` for the next part."""


class Health(Answer):
    """Whether this process does its work."""

    status: Literal["ok"]
    """Always ``ok``; anything else is a problem with status 503."""
    version: str
    """Version of rkd_online."""


def is_none(value: object) -> bool:
    """What is left out wherever it is written."""
    return value is None
