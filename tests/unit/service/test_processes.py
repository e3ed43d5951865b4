"""What is done to processes that are known by their id alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rkd_online.service.processes import named, of_session, yield_to_others

THREADS = """
import sys, threading
threads = [threading.Thread(target=threading.Event().wait, daemon=True) for _ in range(3)]
for thread in threads:
    thread.start()
print("there", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def threaded() -> Iterator[int]:
    """A process of four threads, the first of its own session."""
    process = subprocess.Popen(
        [sys.executable, "-c", THREADS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        yield process.pid


def test_every_thread_of_a_process_yields(threaded: int) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    yield_to_others(threaded)
    threads = [int(entry.name) for entry in Path(f"/proc/{threaded}/task").iterdir()]
    assert [os.getpriority(os.PRIO_PROCESS, thread) for thread in threads] == [19] * 4
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


def test_a_process_is_found_in_its_session_by_how_its_command_begins(threaded: int) -> None:
    assert named(of_session(threaded), sys.executable) == [threaded]
    assert named(of_session(threaded), "python") == []


def test_one_that_is_gone_has_no_name_and_yields_to_nobody() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert named([ended.pid], sys.executable) == []
    yield_to_others(ended.pid)
