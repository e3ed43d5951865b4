"""``docs/benchmarks.md``, written from the kept results alone."""

from collections.abc import Sequence

from benchmarks.results import ROOT, Goal, Result, Row

PAGE = ROOT / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Written by `python -m benchmarks` (`make bench`) from `benchmarks/results/`; do not edit. Machines
differ and are noisy: compare ratios, and times only within one run.
"""


def write_page(results: Sequence[Result]) -> None:
    """Write the page anew."""
    PAGE.write_text(page(results))


def page(results: Sequence[Result]) -> str:
    """The page's text."""
    return "\n".join([HEAD, *(section(one) for one in results)])


def section(one: Result) -> str:
    """A heading, the command, a table, and what is to be said about it."""
    lines = [f"## {one.title}", "", f"`{one.command}`, tree `{one.commit}`", f"({one.machine})", ""]
    lines += ["| | measured | goal |", "|---|---:|---|", *(_line(row) for row in one.rows)]
    return "\n\n".join(["\n".join(lines), *one.notes]) + "\n"


def _line(row: Row) -> str:
    goal = ""
    if isinstance(row, Goal):
        goal = f"{row.bound} {row.limit:g} {row.unit}".rstrip()
        goal += ": reached" if row.reached else ": **missed**"
    return f"| {row.what} | {f'{row.value:,.4g} {row.unit}'.rstrip()} | {goal} |"
