"""Two models side by side, as a person reads it in a terminal."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rkd_online.evaluation.comparison import Comparison, Differences, Paired
from rkd_online.evaluation.model_tables import name_column, plain_table
from rkd_online.spec.decoding import DISTRIBUTIONS, Decoding


def render_comparison(comparison: Comparison) -> RenderableType:
    """A table for each decoding, and what was not the same for both."""
    parts: list[RenderableType] = [
        _table(comparison, decoding, found) for decoding, found in comparison.decodings.items()
    ]
    parts += [
        Text(f"asked otherwise: {setting} {first} and {second}", "yellow")
        for setting, (first, second) in comparison.asked_otherwise.items()
    ]
    return Group(*parts)


def _table(comparison: Comparison, decoding: Decoding, found: Differences) -> Table:
    words = DISTRIBUTIONS[decoding].words
    table = plain_table(f"{words}, {comparison.prompts} prompts, differences by prompt")
    name_column(table)
    for model in _headers(comparison):
        table.add_column(Text(model), justify="right", overflow="fold")
    table.add_column("difference (95 %)", justify="right", no_wrap=True)
    for name, paired, digits in _lines(found):
        one = paired.difference
        signed = [f"{value:+,.{digits}f}" for value in (one.value, one.low, one.high)]
        table.add_row(
            Text(name),
            f"{paired.first:,.{digits}f}",
            f"{paired.second:,.{digits}f}",
            f"{signed[0]}  {signed[1]} to {signed[2]}",
            style="" if one.low <= 0 <= one.high else "bold",
        )
    return table


def _headers(comparison: Comparison) -> tuple[str, str]:
    """The last parts of both names where they tell the two apart: a whole path leaves no room."""
    first, second = comparison.first, comparison.second
    short = first.rpartition("/")[2], second.rpartition("/")[2]
    return short if short[0] != short[1] else (first, second)


def _lines(found: Differences) -> Iterator[tuple[str, Paired, int]]:
    """Name, values and their decimals."""
    for k, paired in found.pass_at_k.items():
        yield f"pass@{k}", paired, 3
    for groups in (found.by_task, found.by_difficulty):
        if len(groups) > 1:
            for group, paired in groups.items():
                yield f"pass@1, {group}", paired, 3
    most = max(found.distinct_correct)
    if most > 1:
        yield f"solutions in {most}", found.distinct_correct[most], 2
    yield "tokens", found.tokens, 1
    yield "cut off", found.truncated_share, 3
    yield "answer found", found.answered_share, 3
