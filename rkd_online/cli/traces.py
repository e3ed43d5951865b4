"""Traces of jobs: found, written, summed up."""

import gzip
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from rkd_online.cli.connection import connect
from rkd_online.cli.targets import STDOUT, written_whole
from rkd_online.errors import ServiceError
from rkd_online.metrics.chrome_trace import chrome_trace, summary_of
from rkd_online.metrics.trace_steps import has_steps
from rkd_online.metrics.trace_summary import TraceSummary

BAR = 40


def read_trace(job: str, url: str, folder: Path | None) -> Iterator[str]:
    """The file in pieces, from a data folder where one is given, else from the control plane."""
    if folder is None:
        return connect(url).trace(job)
    path = folder / "runs" / job
    if not has_steps(path):
        raise ServiceError(
            f"there is no trace in {path}: the run has not finished its first step, or its records "
            "lie in another --folder"
        )
    return chrome_trace(path)


def save_trace(pieces: Iterator[str], target: Path) -> TraceSummary:
    """Write the pieces; returns what the file itself says about them."""
    last_line = ""
    with _opened(target) as file:
        for piece in pieces:
            file.write(piece)
            last_line = (last_line + piece).rpartition("\n")[2]
    return summary_of(last_line)


def _opened(target: Path) -> AbstractContextManager[IO[str]]:
    if target == STDOUT:
        return nullcontext(sys.stdout)
    if target.suffix == ".gz":
        return written_whole(
            target, "--output", lambda path: gzip.open(path, "wt", encoding="utf-8")
        )
    return written_whole(target, "--output", lambda path: path.open("w", encoding="utf-8"))


def show_trace(summary: TraceSummary, target: Path) -> None:
    """Where the file is and what opens it, then where the time went."""
    console = Console(stderr=target == STDOUT)
    if target != STDOUT:
        size = decimal(target.stat().st_size)
        console.print(f"trace: {target} ({size})", highlight=False, soft_wrap=True)
        console.print("open it at https://ui.perfetto.dev or chrome://tracing\n", highlight=False)
    console.print(_critical_path(summary), _workers(summary))


def _critical_path(summary: TraceSummary) -> Table:
    """What the loop did or waited for, longest first."""
    between = summary.seconds - sum(summary.critical_path.values())
    table = _table(f"critical path · {_size(summary)}", "seconds", "share")
    stages = sorted(summary.critical_path.items(), key=lambda item: -item[1])
    for stage, seconds in [*stages, ("other", between)]:
        share = seconds / summary.seconds
        table.add_row(stage, f"{seconds:,.1f}", f"{share:.1%}", _bar(share, "cyan"))
    return table


def _workers(summary: TraceSummary) -> Table:
    """When each of them did anything at all."""
    table = _table("workers", "busy s", "idle")
    for worker, seconds in summary.busy.items():
        share = seconds / summary.seconds
        table.add_row(worker, f"{seconds:,.1f}", f"{1 - share:.1%}", _bar(share, "green"))
    return table


def _size(summary: TraceSummary) -> str:
    attempts = f", {summary.attempts} attempts" if summary.attempts > 1 else ""
    steps = "step" if summary.steps == 1 else "steps"
    return f"{summary.steps:,} {steps} in {summary.seconds:,.1f} s{attempts}"


def _table(title: str, *columns: str) -> Table:
    """Names, two numbers and a bar, in 80 characters."""
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", min_width=14)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", width=BAR)
    return table


def _bar(share: float, colour: str) -> Text:
    """The whole width is all of the time."""
    filled = round(BAR * share)
    return Text.assemble(("█" * filled, colour), ("░" * (BAR - filled), "dim"))
