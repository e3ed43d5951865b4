"""The last steps of a job as a table that fits the terminal."""

from collections.abc import Mapping, Sequence

from rich.table import Table

METRICS = (
    ("reward", "reward/mean", "{:.3f}"),
    ("pass@1", "validation/pass_at_1", "{:.3f}"),
    ("KL teacher", "policy/kl_teacher", "{:.3f}"),
    ("entropy", "policy/entropy", "{:.3f}"),
    ("tokens/s", "throughput/tokens_per_second", "{:,.0f}"),
)
STAGES = ("generate", "score", "update", "swap")
NAMES = ("step", *(name for name, _, _ in METRICS), *(f"{stage} s" for stage in STAGES))
LEFT_OUT = ("swap s", "score s", "update s", "generate s", "entropy", "tokens/s", "KL teacher")
"""Columns that a narrow terminal does without, the first of them first."""
GAP = 2
ROWS_SHOWN = 8


class StepTable:
    """Feed it steps. A metric that a step does not have keeps the value it had last."""

    def __init__(self) -> None:
        self._known: dict[str, float] = {}
        self.rows: list[list[str]] = []

    def add(self, step: int, metrics: Mapping[str, float], timings: Mapping[str, float]) -> None:
        """Append a row; the oldest leaves."""
        self._known |= {name: metrics[name] for _, name, _ in METRICS if name in metrics}
        times = [f"{timings.get(stage, 0.0):.2f}" for stage in STAGES]
        self.rows = [*self.rows, [str(step), *self._metrics(), *times]][-ROWS_SHOWN:]

    def words(self) -> str:
        """The metrics of the newest step in one line."""
        named = zip((name for name, _, _ in METRICS), self._metrics(), strict=True)
        return "  ".join(f"{name} {cell}" for name, cell in named)

    def render(self, width: int) -> Table:
        """The columns that ``width`` characters hold, each on one line."""
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
        shown = fitting(NAMES, self.rows, width)
        for name in shown:
            table.add_column(name, justify="right", header_style="dim", no_wrap=True)
        for row in self.rows:
            table.add_row(*(cell for name, cell in zip(NAMES, row, strict=True) if name in shown))
        return table

    def _metrics(self) -> list[str]:
        return [
            shape.format(self._known[name]) if name in self._known else "-"
            for _, name, shape in METRICS
        ]


def fitting(names: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The columns that stay when a terminal has ``width`` characters."""
    columns = zip(names, zip(*rows, strict=True), strict=True)
    widths = {name: max(map(len, (name, *cells))) for name, cells in columns}
    for name in LEFT_OUT:
        if sum(widths.values()) + GAP * (len(widths) - 1) <= width:
            break
        del widths[name]
    return list(widths)
