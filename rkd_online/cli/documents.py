"""What ``--json`` prints: one document for a command, a line for each part of a stream."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

    from rkd_online.service.schemas.answer import Page

T = TypeVar("T")


def show_document(document: "BaseModel | dict[str, Any]") -> None:
    """Print one document."""
    if isinstance(document, dict):
        typer.echo(json.dumps(document, indent=2))
    else:
        typer.echo(document.model_dump_json(indent=2))


def show_line(part: "BaseModel") -> None:
    """Print one part of a stream."""
    typer.echo(part.model_dump_json())


def one_page(records: Iterable[T]) -> "Page[T]":
    """A whole list, as a page that has no other behind it."""
    from rkd_online.service.schemas.answer import Page

    return Page(data=list(records), has_more=False, next=None)
