"""Jobs as a table."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rkd_online.cli.hints import hint
from rkd_online.cli.lines import GAP, PIPED, moment, say
from rkd_online.service.schemas.job import JobRecord
from rkd_online.service.state import Status

NAMES = ("job", "project", "name", "status", "step", "created")
STYLES = {
    Status.QUEUED: "dim",
    Status.STARTING: "cyan",
    Status.RUNNING: "bold cyan",
    Status.PAUSING: "yellow",
    Status.PAUSED: "bold yellow",
    Status.STOPPING: "yellow",
    Status.SUCCEEDED: "green",
    Status.FAILED: "bold red",
    Status.CANCELLED: "yellow",
}


def show_jobs(records: Sequence[JobRecord], *, has_more: bool) -> None:
    """Print jobs, and how to see the others."""
    console = Console()
    if not console.is_terminal:
        console.width = PIPED
    console.print(jobs_table(records, console.width))
    if has_more:
        console.print(
            f"the newest {len(records)}; --limit shows up to 100, --all every one",
            style="dim",
            highlight=False,
        )


def show_no_jobs(url: str, statuses: Sequence[Status], *, filtered: bool) -> None:
    """Say that there are none, and what to type."""
    found = f"there are no jobs yet at {url}"
    if filtered:
        which = " or ".join(statuses)
        found = f"no job at {url} is {which}" if which else f"no job at {url} is like that"
    say(f"{found}: submit one with `{hint('submit SPEC', url)}`")


def jobs_table(records: Sequence[JobRecord], width: int) -> Table:
    """A row per job, with its project where there are several. A narrow terminal shortens names,
    never ids."""
    several = len({record.project for record in records}) > 1
    names = [name for name in NAMES if name != "project" or several]
    rows = [[cells[name] for name in names] for cells in map(_cells, records)]
    widths = {name: max(map(len, column)) for name, *column in zip(names, *rows, strict=True)}
    room = width - sum(widths.values()) + widths["name"] - GAP * (len(names) - 1)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    for name in names:
        most = max(len(name), room) if name == "name" else None
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=most)
    status = names.index("status")
    for record, row in zip(records, rows, strict=True):
        table.add_row(*row[:status], Text(row[status], STYLES[record.status]), *row[status + 1 :])
    return table


def _cells(record: JobRecord) -> dict[str, str]:
    step = record.progress.report.step if record.progress else 0
    return {
        "job": record.id,
        "project": record.project,
        "name": record.name,
        "status": str(record.status),
        "step": f"{step}/{record.spec['steps']}",
        "created": moment(record.created_at),
    }
