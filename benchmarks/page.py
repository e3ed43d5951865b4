"""``docs/benchmarks.md``, written from the kept results alone.

The step benchmark is imported where it is needed: it brings torch, whose pages this process would
share with those whose memory a benchmark measures.
"""

from collections.abc import Sequence

from benchmarks.results import ROOT, Goal, Result, Row

PAGE = ROOT / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Written by `python -m benchmarks` (`make bench`) from `benchmarks/results/`; do not edit. Machines
differ and are noisy: compare ratios, and times only within one run.
"""


def write_page(results: Sequence[Result]) -> None:
    """Write the page anew, with the picture of the step benchmark where a case of it is kept."""
    from benchmarks.step_plot import draw, steps_of

    if steps := steps_of(results):
        draw(steps)
    PAGE.write_text(page(results))


def page(results: Sequence[Result]) -> str:
    """The page's text by names, the steps together below their picture."""
    from benchmarks.step_plot import SHOWN, steps_of

    steps = steps_of(results)
    sections = {one.name: section(one) for one in results if one not in steps}
    if steps:
        sections["step-time"] = "\n".join([f"{SHOWN}\n", *map(section, steps)])
    return "\n".join([HEAD, *(sections[name] for name in sorted(sections))])


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
