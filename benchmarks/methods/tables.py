"""The tables of a cell's page."""

from collections.abc import Iterator, Sequence
from statistics import mean

import numpy as np

from benchmarks.methods.entrants import ALPHA, METHODS, alpha_name
from benchmarks.methods.outcome import Examined, Trained
from benchmarks.methods.plan import YARDSTICK, Findings, Grid, best
from benchmarks.methods.statistics import Interval, difference, interval, shares

NONE = "-"


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    """Markdown; the first column is to the left, the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def equal_steps_table(found: Findings) -> str:
    """All methods after the same number of steps."""
    head = (
        "",
        "learning rate",
        "pass@1",
        "each seed",
        f"less {YARDSTICK}",
        "greedy",
        "tokens of an answer",
        "core-seconds of a step",
    )
    return table(head, _equal_steps_rows(found))


def _equal_steps_rows(found: Findings) -> Iterator[Sequence[str]]:
    for name, one in (
        ("teacher", found.baseline.teacher),
        ("student before", found.baseline.student),
    ):
        yield [name, NONE, _alone(one).words, NONE, NONE, f"{_greedy([one]):.3f}",
               f"{one.tokens:.1f}", NONE]  # fmt: skip
    yardstick = tests_after_all_steps(found, YARDSTICK)
    for name in METHODS:
        tests = tests_after_all_steps(found, name)
        ahead = NONE if name == YARDSTICK else difference(yardstick, tests).signed
        yield [
            f"`{name}`",
            plain(found.rates[name]),
            interval(shares(tests)).words,
            ", ".join(f"{value:.3f}" for value in shares(tests).mean(axis=1)),
            ahead,
            f"{_greedy(tests):.3f}",
            f"{mean(one.tokens for one in tests):.1f}",
            f"{found.prices.steps[name]:.2f}",
        ]


def equal_seconds_table(found: Findings) -> str:
    """All methods after as many core-seconds as the yardstick's whole training takes."""
    head = ("", "steps", "pass@1", "each seed", f"less {YARDSTICK}")
    return table(head, _equal_seconds_rows(found))


def _equal_seconds_rows(found: Findings) -> Iterator[Sequence[str]]:
    yardstick = tests_after_all_steps(found, YARDSTICK)
    for name in METHODS:
        steps = found.equal_steps[name]
        if steps == 0:
            before = _alone(found.baseline.student).words
            yield [f"`{name}`", "0", f"{before}, as before", NONE, NONE]
            continue
        tests = [one.tests[steps] for one in found.trained[name]]
        ahead = NONE if name == YARDSTICK else difference(yardstick, tests).signed
        each = ", ".join(f"{value:.3f}" for value in shares(tests).mean(axis=1))
        yield [f"`{name}`", str(steps), interval(shares(tests)).words, each, ahead]


def groups_table(found: Findings) -> str:
    """pass@1 by difficulty group after the same number of steps; empty where there is one group."""
    groups = sorted(set(found.baseline.teacher.groups))
    if len(groups) == 1:
        return ""
    # Of a mixture the part says enough, where each has one group.
    parts = [group.partition(":")[0] for group in groups]
    shown = parts if len(set(parts)) == len(groups) else groups
    return table(("", *shown), _groups_rows(found, groups))


def _groups_rows(found: Findings, groups: Sequence[str]) -> Iterator[Sequence[str]]:
    models: dict[str, Sequence[Examined]] = {
        "teacher": [found.baseline.teacher], "student before": [found.baseline.student]
    }  # fmt: skip
    models |= {f"`{name}`": tests_after_all_steps(found, name) for name in METHODS}
    for name, tests in models.items():
        own = [np.array(tests[0].groups) == group for group in groups]
        yield [name, *(interval(shares(tests)[:, chosen]).words for chosen in own)]


def grid_table(found: Findings) -> str:
    """What the learning rates were chosen by; empty where there was none to choose."""
    if not found.grids:
        return ""
    rates = found.effort.rates
    rows = (
        [f"`{name}`", *(_score(grid, rate) for rate in rates)] for name, grid in found.grids.items()
    )
    return table(("", *(plain(rate) for rate in rates)), rows)


def _score(grid: Grid, rate: float) -> str:
    shown = f"{grid[rate]:.3f}"
    return f"**{shown}**" if rate == best(grid) else shown


def alpha_table(found: Findings) -> str:
    """rlad by alpha; empty where there is the paper's alone."""
    if not found.effort.alphas:
        return ""
    head = ("alpha", "pass@1", "each seed", f"less alpha {ALPHA:g}", "KL to the teacher, last step")
    return table(head, _alpha_rows(found))


def _alpha_rows(found: Findings) -> Iterator[Sequence[str]]:
    paper = tests_after_all_steps(found, alpha_name(ALPHA))
    for alpha in sorted({*found.effort.alphas, ALPHA}):
        trained = found.trained[alpha_name(alpha)]
        tests = tests_after_all_steps(found, alpha_name(alpha))
        yield [
            f"{alpha:g}",
            interval(shares(tests)).words,
            ", ".join(f"{value:.3f}" for value in shares(tests).mean(axis=1)),
            NONE if alpha == ALPHA else difference(paper, tests).signed,
            f"{mean(_last(one, 'policy/kl_teacher') for one in trained):.3f}",
        ]


def tests_after_all_steps(found: Findings, name: str) -> list[Examined]:
    """Of each seed the test after the steps at which all methods are compared."""
    return [one.tests[one.compared] for one in found.trained[name]]


def _last(one: Trained, metric: str) -> float:
    value = one.curves[metric][one.compared - 1]
    assert value is not None, f"{metric} is reported at every step of {one.method}"
    return value


def _alone(one: Examined) -> Interval:
    return interval(shares([one]))


def _greedy(tests: Sequence[Examined]) -> float:
    return float(np.mean([one.greedy for one in tests]))


def plain(rate: float) -> str:
    """A learning rate without an exponent."""
    return f"{rate:.10f}".rstrip("0")
