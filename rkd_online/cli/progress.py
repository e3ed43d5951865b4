"""Live progress of a job, from its events: a bar and a table, or plain lines without a terminal."""

import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from rkd_online.cli.event_words import event_words
from rkd_online.cli.step_table import StepTable
from rkd_online.types import StepReport

SHORTEST_BAR, LONGEST_BAR = 8, 32
PLAIN_SECONDS = 5.0
RECENT = 20
"""Steps whose mean duration the remaining time is estimated from."""
SAID = ("log", "paused", "change_asked", "status", "waiting", "finished")
"""What goes on until the next thing does."""
TROUBLE = ("failed", "attempt_lost", "attempt_preempted", "launch_delayed")
"""Stays on the screen, above the live part."""


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
        said: str = "waiting for the cluster",
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``said`` is what goes on before the first event."""
        self._console = console or Console()
        self._steps = steps
        self._title = title
        self._clock = clock
        self._done = 0
        self._table = StepTable()
        self._durations: list[float] = []
        self._said = said
        self._spinner = Spinner("dots")
        self._over = False
        self._last_line = float("-inf")
        self._live = Live(
            console=self._console,
            get_renderable=self._render,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        if self._console.is_terminal:
            self._live.stop()

    def event(self, type: str, data: dict[str, Any]) -> None:
        """Show one event of a job."""
        words = event_words(type, data)
        if type == "step":
            self._step(data)
        elif type in SAID:
            self._say(words)
        elif type == "checkpoint":
            self._say(words, quiet=True)
        elif type == "phase":
            self._print(words)
        elif type == "early_stop":
            self._steps = self._done = int(data["step"])
            self._print(words)
        elif type == "changed":
            self._steps = max(data["values"].get("steps", self._steps), self._done)
            self._print(words)
        elif type == "warning":
            self._print(words, style="yellow")
        elif type in TROUBLE:
            self._said = type.replace("_", " ")
            self._print(words, style="yellow")

    def left(self) -> timedelta | None:
        """Time until the last step, to the second; None before the first."""
        if not self._durations:
            return None
        mean = sum(self._durations) / len(self._durations)
        return timedelta(seconds=round(mean * (self._steps - self._done)))

    def _step(self, data: dict[str, Any]) -> None:
        self._done = int(data["step"])
        self._durations = [*self._durations, float(data["timings"]["step"])][-RECENT:]
        self._table.add(self._done, data["metrics"], data["timings"])
        if not self._console.is_terminal:
            self._line()

    def _line(self) -> None:
        """A line for the first and the last step and every few seconds between."""
        now = self._clock()
        if now - self._last_line >= PLAIN_SECONDS or self._done in (1, self._steps):
            self._last_line = now
            count = f"step {self._done}/{self._steps}"
            self._print(f"{count}  {self._table.words()}  left {self.left()}")

    def _say(self, words: str, *, quiet: bool = False) -> None:
        self._said = words
        if not self._console.is_terminal and not quiet:
            self._print(words)

    def _print(self, words: str, style: str | None = None) -> None:
        """A line is one line unless a terminal is too narrow for it."""
        whole = not self._console.is_terminal
        self._console.print(words, style=style, highlight=False, markup=False, soft_wrap=whole)

    def _render(self) -> RenderableType:
        title = Text(self._title, "bold", no_wrap=True, overflow="ellipsis")
        said = Text(self._said, "dim")
        self._spinner.update(text=said)
        parts: list[RenderableType] = [title, self._bar(), said if self._over else self._spinner]
        if self._table.rows:
            parts.append(self._table.render(self._console.width))
        return Group(*parts)

    def _bar(self) -> Table:
        count = f"step {self._done}/{self._steps}"
        left = self.left()
        time_left = f"{left} left" if left else ""
        room = self._console.width - len(count) - len(time_left) - 4
        line = Table.grid(padding=(0, 2, 0, 0))
        if room < SHORTEST_BAR:
            line.add_row(count, time_left)
            return line
        bar = ProgressBar(total=self._steps, completed=self._done, width=min(LONGEST_BAR, room))
        line.add_row(bar, count, time_left)
        return line


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
