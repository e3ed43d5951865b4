"""Processes known by their id alone."""

import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

LOWEST_PRIORITY: Final = 19
"""As ``nice`` counts."""


def send(pid: int, number: int) -> None:
    """Send a signal to a process; one that is gone needs none."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def alive(pid: int) -> bool:
    """Whether a process of this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone(pid: int, child: "subprocess.Popen[bytes] | None", seconds: float) -> bool:
    """Whether a process ends within this time. Our own child's exit must be collected, too."""
    deadline = time.monotonic() + seconds
    while child.poll() is None if child is not None else alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def session_gone(leader: int, seconds: float) -> bool:
    """Whether every process of a session ends within this time."""
    deadline = time.monotonic() + seconds
    while of_session(leader):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def of_session(leader: int) -> list[int]:
    """Every process of a session, on systems that have /proc; elsewhere none are found."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError):
            if os.getsid(int(entry.name)) == leader:
                found.append(int(entry.name))
    return found


def named(pids: list[int], title: str) -> list[int]:
    """Those of these processes whose command line begins so."""
    found = []
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(title.encode()):
                found.append(pid)
    return found


def yield_to_others(pid: int) -> None:
    """Give every thread of a process the lowest priority; Linux keeps one for each thread, and
    hands it on to those that it starts."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, int(thread.name), LOWEST_PRIORITY)
