"""The other end of the judging process: starts it, waits no longer than allowed, starts it again.

Not a process pool of a library: those start workers by importing the caller's main module, which
in a Ray actor is Ray, or limit the time of a batch instead of that of each call in it.
"""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import Pipe

from rkd_online.errors import ClusterError, TaskError
from rkd_online.tasks.base import Failure
from rkd_online.tasks.judging import Call, JudgingSetup

log = logging.getLogger(__name__)


class JudgingProcess:
    """Judges batches of calls, one batch at a time.

    A call that takes too long, ends the process or fills its memory is a Failure, and the process
    is started again for those behind it.
    """

    def __init__(self, setup: JudgingSetup, *, start_seconds: float) -> None:
        """Raises TaskError when the process cannot load what it judges with, or does not within
        ``start_seconds``."""
        self._setup = setup
        self._start_seconds = start_seconds
        self._closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rkd-judging")
        self._start()

    async def judge(self, calls: Sequence[Call]) -> list[float | Failure]:
        """What is said of each call, in their order."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._judged, calls)

    def close(self) -> None:
        """End the process, whatever it does."""
        self._closed = True
        self._kill()
        self._thread.shutdown()
        self._kill()  # what was started again in the meantime
        self._connection.close()

    def _judged(self, calls: Sequence[Call]) -> list[float | Failure]:
        found: list[float | Failure] = []
        while len(found) < len(calls):
            rest = calls[len(found) :]
            with suppress(OSError):  # of a process that has ended: the first reply says so
                self._connection.send(rest)
            for call in rest:
                found.append(self._reply(call))
                if self._ended(found[-1]):
                    self._start_again(found[-1])
                    break
        return found

    def _reply(self, call: Call) -> float | Failure:
        try:
            if not self._connection.poll(self._setup.seconds):
                seconds = f"{self._setup.seconds:g} s"
                return Failure("timeout", f"{call.part}: no verdict within {seconds}")
            reply: float | Failure = self._connection.recv()
        except (EOFError, OSError):
            return Failure("crash", f"{call.part}: the judging process {self._end()}")
        return reply

    def _ended(self, reply: float | Failure) -> bool:
        return isinstance(reply, Failure) and reply.cause in ("timeout", "crash", "memory")

    def _start_again(self, reply: float | Failure) -> None:
        if self._closed:
            raise ClusterError("the judging process was closed while it judged")
        log.warning("judging starts again after %s", reply)
        self._kill()
        self._connection.close()
        self._start()

    def _start(self) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            descriptor = theirs.fileno()
            self._process = subprocess.Popen(
                # Without -P the working folder would come before the packages.
                [sys.executable, "-P", "-m", "rkd_online.tasks.judging", str(descriptor)],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                pass_fds=[descriptor],
                # What a reward has started ends with it.
                start_new_session=True,
            )
        problem = self._loaded()
        if problem is not None:
            self._kill()
            raise TaskError(problem)

    def _loaded(self) -> str | None:
        """Wait until the process has loaded everything; returns what is wrong."""
        try:
            self._connection.send(self._setup)
            if not self._connection.poll(self._start_seconds):
                return f"the judging process has not loaded within {self._start_seconds:g} s"
            problem: str | None = self._connection.recv()
        except (EOFError, OSError):
            return f"the judging process {self._end()} while it loaded what it judges with"
        return problem

    def _end(self) -> str:
        """How the process has ended, or is ended here where it has only closed its connection."""
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "closed its connection"
        if code >= 0:
            return f"ended with exit status {code}"
        return f"was killed by {signal.Signals(-code).name}"

    def _kill(self) -> None:
        """And everything that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _environment() -> dict[str, str]:
    """Packages as this process finds them. A reward has no business with the control plane."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RKD_")}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
