"""``python -m benchmarks [NAME ...]``: measure, keep, rewrite the page, hold to the goals."""

import argparse
import sys
from importlib import import_module
from typing import Final

from benchmarks.idle import wait_until_idle
from benchmarks.page import section, write_page
from benchmarks.results import Goal, Result, kept

BENCHMARKS: Final[dict[str, tuple[str, ...]]] = {
    "busy-share": ("benchmarks.busy_share",),
    "catalogue-cost": ("benchmarks.catalogue_cost",),
    "engine-parts": ("benchmarks.engine_parts",),
    "evaluation": ("benchmarks.evaluation",),
    "fresh-clone": ("benchmarks.fresh_clone",),
    "head-memory": ("benchmarks.head_memory",),
    "image": ("benchmarks.image",),
    "learner": ("benchmarks.learner",),
    "loop-cost": ("benchmarks.loop_cost",),
    "plan": ("benchmarks.memory_plan",),
    "quickstart": ("benchmarks.quickstart",),
    "scraping": ("benchmarks.scraping",),
    "service": ("benchmarks.service.measure",),
    "start-up": ("benchmarks.start_up",),
    "step-time-small": ("benchmarks.step_time", "small"),
    "step-time-10M": ("benchmarks.step_time", "10M"),
    "step-time-100M": ("benchmarks.step_time", "100M"),
    "step-time-100M-prompt-heavy": ("benchmarks.step_time", "100M-prompt-heavy"),
    "step-time-100M-bfloat16": ("benchmarks.step_time", "100M-bfloat16"),
    "teacher-cost": ("benchmarks.teacher_cost",),
    "weight-swap": ("benchmarks.weight_swap",),
    "zoo-baseline": ("benchmarks.zoo_baseline",),
}
"""The module of each, and what its ``measure`` is given."""
TOGETHER: Final = {"step-time": [name for name in BENCHMARKS if name.startswith("step-time-")]}
"""Names that stand for several."""


def main() -> None:
    """Measure what is named, all by default; exits with 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    listed = ", ".join([*BENCHMARKS, *TOGETHER])
    parser.add_argument("names", nargs="*", metavar="NAME", help=listed)
    parser.add_argument(
        "--busy", action="store_true", help="measure beside other work; the result says so"
    )
    given = parser.parse_args()
    names = [name for one in given.names or BENCHMARKS for name in TOGETHER.get(one, [one])]
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}: choose from {listed}")
    missed = False
    try:
        for name in names:
            found = measured(name, given.busy)
            found.save()
            print(section(found), flush=True)
            missed |= any(isinstance(row, Goal) and not row.reached for row in found.rows)
    finally:
        write_page(kept())
    sys.exit(missed)


def measured(name: str, busy: bool) -> Result:
    """The result of one benchmark, on an idle machine or else marked as ``busy``."""
    if not busy:
        wait_until_idle()
    module, *arguments = BENCHMARKS[name]
    found: Result = import_module(module).measure(*arguments)
    beside = {"machine": f"{found.machine}, beside other work"} if busy else {}
    return found.model_copy(update=beside)


if __name__ == "__main__":
    main()
