"""The process in which answers are judged that could hang it, crash it or fill its memory.

``python -m rkd_online.tasks.judging FD`` reads what to judge with from a connection, answers None
or what is wrong with it, and then judges one batch of calls after another, each call as it is done.
It ends with the connection. It imports what it judges with and nothing of a model.
"""

import math
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from inspect import signature
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, TypeAlias

from rkd_online.errors import TaskError
from rkd_online.spec.installed import GROUP
from rkd_online.spec.task import InstalledReward, Task
from rkd_online.tasks.base import Completion, Failure, Problem
from rkd_online.tasks.verifiers import verifier

VERIFIER: Final = "verifier"
"""The name of the verifier's part, as it is recorded."""

ORPHAN_SECONDS: Final = 2.0
"""A call that lasts so much longer than its limit has no parent that would have ended it."""

LONGEST_DETAIL: Final = 500
"""Signs of the longest message of an error that is recorded."""


@dataclass(frozen=True, slots=True)
class JudgingSetup:
    """What to judge with, and its limits. ``task`` is None where its verifier runs elsewhere."""

    task: Task | None
    installed: tuple[InstalledReward, ...]
    seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Call:
    """One part of the reward of one completion. The verifier gets the extracted answer, an
    installed reward the whole completion."""

    part: str
    problem: Problem
    subject: str | Completion


Judge: TypeAlias = Callable[[Problem, Any], Any]


def main() -> None:
    """Serve the connection whose file descriptor is the first argument."""
    with Connection(int(sys.argv[1])) as connection:
        setup: JudgingSetup = connection.recv()
        try:
            judges = load(setup)
        except TaskError as error:
            connection.send(str(error))
            return
        _limit_memory(setup.memory_bytes)
        connection.send(None)
        while (calls := _received(connection)) is not None:
            for call in calls:
                connection.send(judged(judges, call, setup.seconds))


def load(setup: JudgingSetup) -> dict[str, Judge]:
    """Every judge by the name of its part. Raises TaskError for one that cannot be called."""
    judges: dict[str, Judge] = {reward.name: _installed(reward) for reward in setup.installed}
    if setup.task is not None:
        judges[VERIFIER] = verifier(setup.task)
    return judges


def judged(judges: Mapping[str, Judge], call: Call, seconds: float) -> float | Failure:
    """What a judge says of a call; a Failure where it raises or gives no finite number."""
    # The kernel's own end of the process, whatever the call holds: that of an orphan.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds + ORPHAN_SECONDS)
    try:
        value = float(judges[call.part](call.problem, call.subject))
    except MemoryError:
        return Failure("memory", f"{call.part}: it needs more memory than judging.memory_mib")
    except BaseException as error:  # SystemExit too: it is the answer's failure, not the job's
        return Failure("error", f"{call.part}: {type(error).__name__}: {error}"[:LONGEST_DETAIL])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if not math.isfinite(value):
        return Failure("not_finite", f"{call.part}: {value}")
    return value


def _installed(reward: InstalledReward) -> Judge:
    found = [point for point in entry_points(group=GROUP) if point.name == reward.name]
    if not found:
        raise TaskError(f"rewards: no package here has an entry point {reward.name!r} in {GROUP}")
    where = f"rewards: {found[0].value} of {reward.name!r}"
    try:
        function = found[0].load()
    except Exception as error:  # whatever a package of others raises while it is imported
        raise TaskError(f"{where} cannot be imported: {error!r}") from error
    try:
        signature(function).bind(None, None, **reward.settings)
    except TypeError as error:
        raise TaskError(
            f"{where} cannot be called with a problem, a completion and the settings "
            f"{reward.settings}: {error}"
        ) from error

    return partial(function, **reward.settings)


def _received(connection: Connection) -> Sequence[Call] | None:
    try:
        calls: Sequence[Call] = connection.recv()
    except (EOFError, ConnectionResetError):
        return None
    return calls


def _limit_memory(size: int) -> None:
    """Allow ``size`` bytes of address space more than there are now, and no core dumps."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    whole = pages * resource.getpagesize() + size
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    allowed = whole if hard == resource.RLIM_INFINITY else min(whole, hard)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
