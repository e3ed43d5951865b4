"""Live progress of a job, from its events: a bar and a table, or plain lines without a terminal."""

import time
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.table import Table

COLUMNS = (
    ("reward", "reward/mean", "{:.3f}"),
    ("pass@1", "validation/pass_at_1", "{:.3f}"),
    ("KL teacher", "policy/kl_teacher", "{:.3f}"),
    ("entropy", "policy/entropy", "{:.3f}"),
    ("tokens/s", "throughput/tokens_per_second", "{:,.0f}"),
)
STAGES = ("generate", "score", "update", "publish")
LINES_SHOWN = 8
PLAIN_SECONDS = 5.0


class Progress:
    """Feed it events; use it as a context."""

    def __init__(self, *, steps: int, title: str, console: Console | None = None) -> None:
        self._console = console or Console()
        self._bar = Bar(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task = self._bar.add_task(title, total=steps)
        self._steps = steps
        self._rows: list[list[str]] = []
        self._known: dict[str, float] = {}
        self._said = "waiting for the cluster"
        self._last_line = 0.0
        self._live = Live(console=self._console, get_renderable=self._render, auto_refresh=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def event(self, type: str, data: dict[str, Any]) -> None:
        """Show one event of a job."""
        if type == "step":
            self._step(data)
        elif type == "log":
            self._say(str(data["message"]))
        elif type == "checkpoint":
            self._say(f"checkpoint of step {data['step']} written", quiet=True)
        elif type == "status":
            self._say(f"job is {data['status']}")
        elif type in ("failed", "attempt_lost", "launch_delayed", "finished"):
            words = data.get("message") or data.get("cause") or data.get("summary") or ""
            self._say(f"{type.replace('_', ' ')}: {words}")

    def _step(self, data: dict[str, Any]) -> None:
        step, metrics, timings = int(data["step"]), data["metrics"], data["timings"]
        self._known |= {name: metrics[name] for _, name, _ in COLUMNS if name in metrics}
        cells = [
            shape.format(self._known[name]) if name in self._known else "-"
            for _, name, shape in COLUMNS
        ]
        times = [f"{timings.get(stage, 0.0):.2f}" for stage in STAGES]
        self._rows = [*self._rows, [str(step), *cells, *times]][-LINES_SHOWN:]
        self._bar.update(self._task, completed=step)
        late = time.monotonic() - self._last_line >= PLAIN_SECONDS
        if not self._console.is_terminal and (late or step in (1, self._steps)):
            self._last_line = time.monotonic()
            named = zip((name for name, _, _ in COLUMNS), cells, strict=True)
            words = "  ".join(f"{name} {cell}" for name, cell in named)
            self._console.print(f"step {step}/{self._steps}  {words}", highlight=False)

    def _say(self, words: str, *, quiet: bool = False) -> None:
        self._said = words
        if not self._console.is_terminal and not quiet:
            self._console.print(words, highlight=False, markup=False)

    def _render(self) -> RenderableType:
        table = Table(box=None, pad_edge=False)
        for name in ("step", *(name for name, _, _ in COLUMNS), *(f"{s} s" for s in STAGES)):
            table.add_column(name, justify="right", header_style="dim")
        for row in self._rows:
            table.add_row(*row)
        return Group(self._bar, f"[dim]{self._said}[/]", table if self._rows else "")


class ProgressSink:
    """The same display fed by a run in this process."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def report(self, report: Any) -> None:
        """Show a step."""
        from dataclasses import asdict

        self._progress.event("step", asdict(report))

    def event(self, type: str, data: dict[str, object]) -> None:
        """Show anything else."""
        self._progress.event(type, data)

    def close(self) -> None:
        """The display ends with its context."""
