"""Tells MLflow of one step of an attempt of a control plane's job. Prints what is told of it, and
waits for a line of its standard input before it ends.

``python -m tests.integration.run.tracked_attempt SPEC FOLDER PROJECT ATTEMPT``
"""

import asyncio
import os
import sys
from pathlib import Path

from rkd_online.run.records import RunFolder
from rkd_online.run.trackers import Tracked, named_addresses, tracked
from rkd_online.spec.load import load_spec
from rkd_online.types import StepReport


class Told:
    """A sink that prints messages."""

    def report(self, report: StepReport) -> None: ...

    def event(self, type: str, data: dict[str, object]) -> None:
        print(data.get("message"), flush=True)

    def close(self) -> None: ...


async def main() -> None:
    spec, folder, project, number = sys.argv[1:]
    run = RunFolder(Path(folder))
    addresses = named_addresses(os.environ)
    told = Tracked(load_spec(Path(spec)), run, int(number), run.path.name, project, addresses)
    async with tracked(told, Told()) as sink:
        sink.report(StepReport(int(number), 1, 0, {"step": 1.0}, {"reward/mean": 0.5}))
        sys.stdin.readline()


if __name__ == "__main__":
    asyncio.run(main())
