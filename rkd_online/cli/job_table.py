"""Jobs as a table."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rkd_online.cli.hints import hint
from rkd_online.service.schemas.answer import Page
from rkd_online.service.schemas.job import JobRecord
from rkd_online.service.state import Status

NAMES = ("job", "name", "status", "step", "created")
GAP = 2
PIPED = 160
"""Columns where the output is no terminal: enough for every name."""
STYLES = {
    Status.QUEUED: "dim",
    Status.STARTING: "cyan",
    Status.RUNNING: "bold cyan",
    Status.STOPPING: "yellow",
    Status.SUCCEEDED: "green",
    Status.FAILED: "bold red",
    Status.CANCELLED: "yellow",
}


def show_jobs(page: Page[JobRecord], status: Status | None, url: str) -> None:
    """Print a page of jobs, or what to do where there are none."""
    console = Console()
    if not page.data:
        found = f"no job at {url} is {status}" if status else f"there are no jobs yet at {url}"
        words = f"{found}: submit one with `{hint('submit SPEC', url)}`"
        console.print(words, highlight=False, soft_wrap=True)
        return
    if not console.is_terminal:
        console.width = PIPED
    console.print(jobs_table(page.data, console.width))
    if page.has_more:
        console.print(
            f"the newest {len(page.data)}; --limit shows up to 100", style="dim", highlight=False
        )


def jobs_table(records: list[JobRecord], width: int) -> Table:
    """A row per job. A narrow terminal shortens names, never ids."""
    rows = [_cells(record) for record in records]
    widths = {name: max(map(len, column)) for name, *column in zip(NAMES, *rows, strict=True)}
    room = width - sum(widths.values()) + widths["name"] - GAP * (len(NAMES) - 1)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    for name in NAMES:
        most = max(len(name), room) if name == "name" else None
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=most)
    for record, (job, name, status, *rest) in zip(records, rows, strict=True):
        table.add_row(job, name, Text(status, STYLES[record.status]), *rest)
    return table


def _cells(record: JobRecord) -> tuple[str, ...]:
    step = record.progress.report.step if record.progress else 0
    created = f"{record.created_at.astimezone():%Y-%m-%d %H:%M}"
    count = f"{step}/{record.spec['steps']}"
    return record.id, record.name, str(record.status), count, created
