"""``python -m benchmarks [NAME ...]``: measure, keep, rewrite the page, hold to the goals."""

import argparse
import sys
from importlib import import_module

from benchmarks.page import section, write_page
from benchmarks.results import Goal, kept

BENCHMARKS = {
    "busy-share": "benchmarks.busy_share",
    "fresh-clone": "benchmarks.fresh_clone",
    "head-memory": "benchmarks.head_memory",
    "learner": "benchmarks.learner",
    "loop-cost": "benchmarks.loop_cost",
    "quickstart": "benchmarks.quickstart",
    "start-up": "benchmarks.start_up",
    "step-time": "benchmarks.step_time",
    "teacher-cost": "benchmarks.teacher_cost",
    "weight-swap": "benchmarks.weight_swap",
    "zoo-baseline": "benchmarks.zoo_baseline",
}


def main() -> None:
    """Measure what is named, all by default; exits with 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument(
        "--case", dest="cases", action="append", help="of step-time, this alone; it is not kept"
    )
    given = parser.parse_args()
    names = given.names or list(BENCHMARKS)
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}: choose from {', '.join(BENCHMARKS)}")
    cases = given.cases or []
    if cases and names != ["step-time"]:
        parser.error("--case is of step-time: name that benchmark alone")
    missed = False
    for name in names:
        found = import_module(BENCHMARKS[name]).measure(*cases)
        if not cases:
            found.save()
        print(section(found), flush=True)
        missed |= any(isinstance(row, Goal) and not row.reached for row in found.rows)
    write_page(kept())
    sys.exit(missed)


if __name__ == "__main__":
    main()
