"""Live progress of a job, from its events: a bar and a table, or plain lines without a terminal."""

import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rkd_online.types import StepReport

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
RECENT = 20
"""Steps whose mean duration the remaining time is estimated from."""
SPOKEN = ("failed", "attempt_lost", "launch_delayed", "finished")


class Progress:
    """Feed it events; use it as a context.

    The remaining time comes from the durations in the step reports, so it is right from the first
    moment when somebody begins to watch a job that has run for long.
    """

    def __init__(
        self,
        *,
        steps: int,
        title: str,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console or Console()
        self._steps = steps
        self._title = title
        self._clock = clock
        self._done = 0
        self._rows: list[list[str]] = []
        self._known: dict[str, float] = {}
        self._durations: list[float] = []
        self._said = "waiting for the cluster"
        self._last_line = float("-inf")
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
        elif type in SPOKEN:
            words = data.get("message") or data.get("cause") or data.get("summary") or ""
            self._say(f"{type.replace('_', ' ')}: {words}")

    def left(self) -> timedelta | None:
        """Time until the last step, to the second; None before the first."""
        if not self._durations:
            return None
        mean = sum(self._durations) / len(self._durations)
        return timedelta(seconds=round(mean * (self._steps - self._done)))

    def _step(self, data: dict[str, Any]) -> None:
        metrics, timings = data["metrics"], data["timings"]
        self._done = int(data["step"])
        self._durations = [*self._durations, float(timings["step"])][-RECENT:]
        self._known |= {name: metrics[name] for _, name, _ in COLUMNS if name in metrics}
        cells = [
            shape.format(self._known[name]) if name in self._known else "-"
            for _, name, shape in COLUMNS
        ]
        times = [f"{timings.get(stage, 0.0):.2f}" for stage in STAGES]
        self._rows = [*self._rows, [str(self._done), *cells, *times]][-LINES_SHOWN:]
        if not self._console.is_terminal:
            self._line(cells)

    def _line(self, cells: list[str]) -> None:
        """A line for the first and the last step and every few seconds between."""
        now = self._clock()
        if now - self._last_line >= PLAIN_SECONDS or self._done in (1, self._steps):
            self._last_line = now
            named = zip((name for name, _, _ in COLUMNS), cells, strict=True)
            words = "  ".join(f"{name} {cell}" for name, cell in named)
            self._print(f"step {self._done}/{self._steps}  {words}  left {self.left()}")

    def _say(self, words: str, *, quiet: bool = False) -> None:
        self._said = words
        if not self._console.is_terminal and not quiet:
            self._print(words)

    def _print(self, words: str) -> None:
        self._console.print(words, highlight=False, markup=False, soft_wrap=True)

    def _render(self) -> RenderableType:
        head = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=self._steps, completed=self._done, width=32)
        left = self.left()
        head.add_row(
            Text(self._title, "bold"),
            bar,
            f"step {self._done}/{self._steps}",
            "" if left is None else f"{left} left",
        )
        said = Text(self._said, "dim")
        return Group(head, said, self._table()) if self._rows else Group(head, said)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for name in ("step", *(name for name, _, _ in COLUMNS), *(f"{s} s" for s in STAGES)):
            table.add_column(name, justify="right", header_style="dim")
        for row in self._rows:
            table.add_row(*row)
        return table


class ProgressSink:
    """The same display fed by a run in this process."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def report(self, report: StepReport) -> None:
        """Show a step."""
        self._progress.event("step", asdict(report))

    def event(self, type: str, data: dict[str, object]) -> None:
        """Show anything else."""
        self._progress.event(type, data)

    def close(self) -> None:
        """The display ends with its context."""
