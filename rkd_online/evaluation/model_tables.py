"""Measurements as tables for a terminal of 80 columns: a row for each model."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from rkd_online.evaluation.measurement import Estimate, Measurement
from rkd_online.spec.decoding import DISTRIBUTIONS, Decoding

Rows: TypeAlias = Mapping[str, Measurement]
"""Measurements by the name of their row."""


def tables(decodings: Mapping[Decoding, Rows], *, bold: str = "") -> Iterator[RenderableType]:
    """Correctness by every decoding, then by the first how answers are, by task and by difficulty.

    The row ``bold`` is the one that matters.
    """
    for decoding, rows in decodings.items():
        yield correctness(decoding, rows, bold)
    headline, rows = next(iter(decodings.items()))
    yield answers(headline, rows, bold)
    yield from reward_parts(rows)
    yield from groups("task", {name: one.by_task for name, one in rows.items()})
    yield from groups("difficulty", {name: one.by_difficulty for name, one in rows.items()})
    yield from failures(decodings)


def plain_table(title: str) -> Table:
    """Narrow enough for a terminal of 80 columns."""
    return Table(
        title=Text(title),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )


def name_column(table: Table) -> None:
    """The first column, of names that may be long."""
    table.add_column("", overflow="fold")


def correctness(decoding: Decoding, rows: Rows, bold: str) -> Table:
    """pass@k, with the interval of pass@1."""
    samples = max(one.samples for one in rows.values())
    asked = "1 answer" if samples == 1 else f"{samples} answers"
    table = plain_table(f"{DISTRIBUTIONS[decoding].words}, {asked} a prompt")
    ks = sorted({k for one in rows.values() for k in one.pass_at_k})
    name_column(table)
    table.add_column("pass@1 (95 %)", justify="right", no_wrap=True)
    for k in ks[1:]:
        table.add_column(f"@{k}", justify="right", no_wrap=True)
    for name, one in rows.items():
        more = [f"{one.pass_at_k[k].value:.3f}" if k in one.pass_at_k else "" for k in ks[1:]]
        table.add_row(Text(name), interval(one.pass_at_1), *more, style=_style(name, bold))
    return table


def answers(decoding: Decoding, rows: Rows, bold: str) -> Table:
    """How long answers are, how many keep the format, how many solutions there are."""
    ks = sorted(set.intersection(*(set(one.distinct_correct) for one in rows.values())))
    table = plain_table(f"answers, {DISTRIBUTIONS[decoding].words}")
    name_column(table)
    for column in (
        "tokens:\nmean",
        "\n10 %",
        "\n50 %",
        "\n90 %",
        "cut\noff",
        "answer\nfound",
        f"solutions\nin {ks[-1]}",
        "answers /\nsecond",
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for name, one in rows.items():
        table.add_row(Text(name), *_answer_cells(one, ks[-1]), style=_style(name, bold))
    return table


def _answer_cells(one: Measurement, k: int) -> list[str]:
    tokens = one.tokens
    return [
        f"{tokens.mean.value:,.1f}",
        *(f"{length:,.0f}" for length in (tokens.p10, tokens.median, tokens.p90)),
        f"{one.truncated_share.value:.1%}",
        f"{one.answered_share.value:.1%}",
        f"{one.distinct_correct[k].value:.2f}",
        f"{one.answers_per_second:,.0f}",
    ]


def reward_parts(rows: Rows) -> Iterator[Table]:
    """Parts of the reward beside the verifier's, where there are any."""
    parts = sorted({name for one in rows.values() for name in one.reward_parts} - {"verifier"})
    if not parts:
        return
    table = plain_table("reward parts")
    name_column(table)
    for part in parts:
        table.add_column(part, justify="right")
    for name, one in rows.items():
        found = [one.reward_parts.get(part) for part in parts]
        table.add_row(Text(name), *("" if mean is None else f"{mean.value:.3f}" for mean in found))
    yield table


def groups(kind: str, rows: Mapping[str, Mapping[str, Mapping[int, Estimate]]]) -> Iterator[Table]:
    """pass@1 of each group of the prompts, where there are several: a row for each, since a task
    may have many."""
    some = next(iter(rows.values()))
    if len(some) < 2:
        return
    table = plain_table(f"pass@1 by {kind}")
    name_column(table)
    table.add_column("prompts", justify="right")
    for name in rows:
        table.add_column(Text(name), justify="right")
    for group, found in some.items():
        cells = [interval(one[group][1]) for one in rows.values()]
        table.add_row(Text(group), str(found[1].n), *cells)
    yield table


def failures(decodings: Mapping[Decoding, Rows]) -> Iterator[Text]:
    """What was not judged, if anything."""
    for decoding, rows in decodings.items():
        for name, one in rows.items():
            if one.unjudged:
                words = f"{name}, {DISTRIBUTIONS[decoding].words}: judging failed for "
                counted = f"{one.unjudged:,} answers, which count as not correct"
                yield Text(words + counted, "yellow")


def interval(found: Estimate) -> Text:
    """A value and its interval."""
    return Text(f"{found.value:.3f} {found.low:.3f}-{found.high:.3f}")


def _style(name: str, bold: str) -> str:
    return "bold" if name == bold else ""
