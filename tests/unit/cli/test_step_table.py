import io
import re

import pytest
from rich.console import Console

from rkd_online.cli.step_table import StepTable

ALL = ["step", "reward", "pass@1", "KL teacher", "entropy", "tokens/s"]


def shown(width: int) -> list[str]:
    """The lines of a table of twelve steps, on a terminal of this width."""
    table = StepTable()
    metrics = {"reward/mean": 0.25, "policy/kl_teacher": 0.125}
    table.add(1, metrics | {"validation/pass_at_1": 0.5}, {"generate": 1.25})
    for step in range(2, 13):
        table.add(step, metrics | {"throughput/tokens_per_second": 1_234_567}, {"generate": 1.25})
    out = io.StringIO()
    Console(file=out, width=width).print(table.render(width))
    return out.getvalue().splitlines()


# Widths by hand: step 4, reward 6, pass@1 6, KL teacher 10, entropy 7, tokens/s 9 (1,234,567),
# generate s 10, score s 7, update s 8, swap s 6; two blanks between.
@pytest.mark.parametrize(
    ("width", "names"),
    [
        (91, [*ALL, "generate s", "score s", "update s", "swap s"]),
        (90, [*ALL, "generate s", "score s", "update s"]),
        (80, [*ALL, "generate s", "update s"]),
        (73, [*ALL, "generate s"]),
        (64, [*ALL, "generate s"]),
        (63, ALL),
        (49, ["step", "reward", "pass@1", "KL teacher", "tokens/s"]),
        (40, ["step", "reward", "pass@1", "KL teacher"]),
        (20, ["step", "reward", "pass@1"]),
    ],
)
def test_a_narrow_terminal_does_without_columns_and_wraps_none(
    width: int, names: list[str]
) -> None:
    head, *rows = shown(width)
    assert re.split(" {2,}", head.strip()) == names
    assert [row.split()[0] for row in rows] == ["5", "6", "7", "8", "9", "10", "11", "12"]
    assert all(len(row.rstrip()) <= width for row in [head, *rows])


def test_a_metric_that_is_measured_now_and_then_keeps_its_last_value() -> None:
    assert shown(94)[-1].split()[:6] == ["12", "0.250", "0.500", "0.125", "-", "1,234,567"]
