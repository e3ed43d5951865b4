"""``python -m benchmarks [NAME ...]``: measure, keep, rewrite the page, hold to the goals."""

import argparse
import sys
from importlib import import_module

from benchmarks.page import section, write_page
from benchmarks.results import Goal, kept

BENCHMARKS = {
    "fresh-clone": "benchmarks.fresh_clone",
    "quickstart": "benchmarks.quickstart",
    "zoo-baseline": "benchmarks.zoo_baseline",
}


def main() -> None:
    """Measure what is named, all by default; exits with 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}: choose from {', '.join(BENCHMARKS)}")
    missed = False
    for name in names:
        found = import_module(BENCHMARKS[name]).measure()
        found.save()
        print(section(found), flush=True)
        missed |= any(isinstance(row, Goal) and not row.reached for row in found.rows)
    write_page(kept())
    sys.exit(missed)


if __name__ == "__main__":
    main()
