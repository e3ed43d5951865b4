"""Lines and tables for people."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = 2
PIPED = 160
"""Columns where the output is no terminal: enough for every name."""


def say(words: str) -> None:
    """Print a line, which is one line unless a terminal is too narrow for it."""
    Console().print(words, highlight=False, soft_wrap=True)


def complain(words: str) -> None:
    """The same where it must not be among what a command prints for programs."""
    Console(stderr=True).print(words, highlight=False, soft_wrap=True)


def show_table(names: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print rows below their names. A narrow terminal folds all but the first column."""
    console, body = Console(), list(rows)
    if not console.is_terminal:
        show_lines([names, *body])
        return
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    for number, name in enumerate(names):
        table.add_column(name, overflow="fold", no_wrap=number == 0)
    for row in body:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    console.print(table)


def show_sheet(rows: Iterable[tuple[str, str | Text]]) -> None:
    """Print names with their values; those without a value are left out."""
    console, body = Console(), [(name, value) for name, value in rows if value]
    if not console.is_terminal:
        show_lines(body)
        return
    table = Table.grid(padding=(0, GAP, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in body:
        table.add_row(name, value if isinstance(value, Text) else Text(value))
    console.print(table)


def room_beside(names: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Columns of the terminal that a table leaves for one more."""
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    return Console().width - sum(widths) - GAP * len(widths)


def show_lines(rows: Sequence[Sequence[str | Text]]) -> None:
    """Print rows as lines, however wide, each ending with what is in it."""
    cells = [[" ".join(str(cell).split()) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        line = (" " * GAP).join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        typer.echo(line.rstrip())


def moment(at: datetime | None) -> str:
    """A time of day here; empty for none."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}" if at else ""


def labels_text(labels: dict[str, str]) -> str:
    """Labels in one line."""
    return " ".join(f"{name}={value}" for name, value in labels.items())
