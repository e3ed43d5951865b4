"""What a step costs: the time that its roles work, and that of the cores below them."""

import time
from collections.abc import Mapping, Sequence

from rkd_online.metrics.busy import BusySpan, WorkLog, covered_seconds, this_process

LOOP = "loop"


def role_of(worker: str) -> str:
    """The role of a worker, which is named ``role:index`` or ``role:name:index``."""
    return worker.partition(":")[0]


def busy_seconds(
    work: Mapping[str, Sequence[BusySpan]], start: float, end: float
) -> dict[str, float]:
    """Seconds from ``start`` to ``end`` in which workers worked, added up by role."""
    found: dict[str, float] = {}
    for worker, spans in work.items():
        metric = f"cost/{role_of(worker)}_busy_seconds"
        found[metric] = found.get(metric, 0.0) + covered_seconds(spans, start, end)
    return found


class CoreSeconds:
    """CPU time of all processes of a run, this one included, each counted once."""

    def __init__(self) -> None:
        self._before = {this_process(): time.process_time()}

    def spent(self, logs: Mapping[str, WorkLog]) -> dict[str, float]:
        """Seconds of all cores since the last call, of a process that is new since its start; also
        by role, where a role shares its processes with no other."""
        now = {log.process: log.cpu_seconds for log in logs.values()}
        now[this_process()] = time.process_time()
        spent = {name: seconds - self._before.get(name, 0.0) for name, seconds in now.items()}
        self._before |= now
        return {"loop/core_seconds": sum(spent.values())} | _by_role(spent, logs)


def _by_role(spent: Mapping[str, float], logs: Mapping[str, WorkLog]) -> dict[str, float]:
    """How much of a shared process is whose is not known: its roles are left out."""
    users: dict[str, set[str]] = {this_process(): {LOOP}}
    for worker, log in logs.items():
        users.setdefault(log.process, set()).add(role_of(worker))
    shared = {role for roles in users.values() if len(roles) > 1 for role in roles}
    found: dict[str, float] = {}
    for process, roles in users.items():
        for role in roles - shared:
            metric = f"cost/{role}_core_seconds"
            found[metric] = found.get(metric, 0.0) + spent[process]
    return found
