"""Runs a job in this process. Prints what is told of it, and waits for a line of its standard input
before the reports of one step go to the trackers.

``python -m tests.integration.run.tracked_run SPEC FOLDER STEP``
"""

import sys
from pathlib import Path

from rkd_online.inference.environment import prepare_engine_process
from rkd_online.types import StepReport


class Waiting:
    """A sink that stands before the trackers."""

    def __init__(self, step: int) -> None:
        self._step = step

    def report(self, report: StepReport) -> None:
        print("done step", report.step, flush=True)
        if report.step == self._step:
            sys.stdin.readline()

    def event(self, type: str, data: dict[str, object]) -> None:
        print("told", data.get("message"), flush=True)

    def close(self) -> None: ...


def main() -> None:
    prepare_engine_process("cpu")
    from rkd_online.run.inline import run_inline
    from rkd_online.run.records import RunFolder
    from rkd_online.spec.load import load_spec

    spec, folder, step = sys.argv[1:]
    run_inline(load_spec(Path(spec)), RunFolder(Path(folder)), [Waiting(int(step))])


if __name__ == "__main__":
    main()
