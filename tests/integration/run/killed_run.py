"""Runs a job in this process and kills it, as a crash would, right after a step's report or when a
message is logged.

``python -m tests.integration.run.killed_run SPEC FOLDER STEP [MESSAGE]``; step 0 is never reached.
"""

import os
import signal
import sys
from pathlib import Path

from rkd_online.inference.environment import prepare_engine_process
from rkd_online.types import StepReport


class KillAt:
    """A sink that ends the process without any clean-up."""

    def __init__(self, step: int, *messages: str) -> None:
        self._step = step
        self._messages = messages

    def report(self, report: StepReport) -> None:
        if report.step == self._step:
            os.kill(os.getpid(), signal.SIGKILL)

    def event(self, type: str, data: dict[str, object]) -> None:
        if data.get("message") in self._messages:
            os.kill(os.getpid(), signal.SIGKILL)

    def close(self) -> None: ...


def main() -> None:
    prepare_engine_process("cpu")
    from rkd_online.run.inline import run_inline
    from rkd_online.run.records import RunFolder
    from rkd_online.spec.load import load_spec

    spec, folder, step, *messages = sys.argv[1:]
    run_inline(load_spec(Path(spec)), RunFolder(Path(folder)), [KillAt(int(step), *messages)])


if __name__ == "__main__":
    main()
