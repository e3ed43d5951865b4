"""``python -m benchmarks.methods``: compare all methods, and write ``docs/experiments/``.

It takes hours. What was cut goes on when the same command is given again: finished pieces stay in
``benchmarks/results/methods/``, and a training goes on from its last checkpoint.
"""

import argparse
import os
from pathlib import Path
from typing import Final

from benchmarks.methods.cells import CELLS, FULL, QUICK
from benchmarks.methods.page import EXPERIMENTS, write_cell
from benchmarks.methods.plan import CellPlan
from benchmarks.methods.pool import Places, Pool
from benchmarks.results import FOLDER, ROOT

RESULTS: Final = FOLDER / "methods"
WORK: Final = ROOT / ".bench" / "methods"


def main() -> None:
    """Do what is missing of every cell that is named, all by default."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.methods",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--cell", action="append", choices=list(CELLS), help="one of them; again for another"
    )
    parser.add_argument(
        "--quick", action="store_true", help="two steps of each: shows that all of it works"
    )
    parser.add_argument(
        "--at-once", type=int, default=len(os.sched_getaffinity(0)), metavar="N",
        help="trainings side by side, each on one core (default: all cores)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="results, work and pages below this folder instead"
    )
    given = parser.parse_args()
    if given.at_once < 1:
        parser.error(f"--at-once {given.at_once} should be 1 or more")
    if given.quick and given.out is None:
        parser.error("--quick gives numbers without meaning: name a folder for them with --out")
    places = Places(RESULTS, WORK)
    pages: Path = EXPERIMENTS
    if given.out is not None:
        out: Path = given.out.resolve()
        places, pages = Places(out / "results", out / "work"), out / "pages"
    pool = Pool(places, given.at_once)
    for name in given.cell or CELLS:
        effort = QUICK if given.quick else FULL
        found = CellPlan(CELLS[name], effort, pool, places).run()
        print(f"written: {write_cell(found, pages)}", flush=True)


if __name__ == "__main__":
    main()
