"""The thread of an engine, with a stand-in for the engine."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rkd_online.errors import ClusterError
from rkd_online.inference.engine_thread import EngineThread

MODEL = Path("/models/large")


def test_an_engine_that_does_not_start_is_named_and_shut_down_once_it_has() -> None:
    loaded, shut_down = threading.Event(), threading.Event()

    def build() -> Any:
        assert loaded.wait(60)
        return SimpleNamespace(
            has_unfinished_requests=lambda: False,
            engine_core=SimpleNamespace(shutdown=shut_down.set),
        )

    with pytest.raises(
        ClusterError, match=r"of /models/large did not start within 0\.1 s: its wei"
    ):
        EngineThread(build, model=MODEL, at_once=1, threads=1, start_timeout=0.1)
    assert not shut_down.is_set()
    loaded.set()
    assert shut_down.wait(60)


def test_the_error_of_a_start_that_fails_comes_as_it_is() -> None:
    def build() -> Any:
        raise TimeoutError("no answer from the rendezvous")

    with pytest.raises(TimeoutError, match="no answer from the rendezvous"):
        EngineThread(build, model=MODEL, at_once=1, threads=1, start_timeout=60.0)


def idle_engine() -> Any:
    return SimpleNamespace(
        has_unfinished_requests=lambda: False,
        engine_core=SimpleNamespace(shutdown=lambda: None),
    )


def started() -> EngineThread:
    return EngineThread(idle_engine, model=MODEL, at_once=1, threads=1, start_timeout=60.0)


def test_a_call_that_is_cancelled_before_its_turn_is_left_out_and_the_engine_goes_on() -> None:
    thread, running, go_on = started(), threading.Event(), threading.Event()
    ran: list[str] = []

    def first(_: Any) -> None:
        running.set()
        assert go_on.wait(60)
        ran.append("first")

    one, two = thread.call(first), thread.call(lambda _: ran.append("second"))
    assert running.wait(60)
    assert (one.cancel(), two.cancel()) == (False, True)
    go_on.set()
    thread.call(lambda _: ran.append("third")).result(60)
    assert ran == ["first", "third"]
    thread.close()


def test_an_error_reaches_the_calls_behind_a_cancelled_one() -> None:
    thread, go_on = started(), threading.Event()

    def fail(_: Any) -> None:
        assert go_on.wait(60)
        raise ValueError("broken")

    calls = [thread.call(fail), thread.call(lambda _: None), thread.call(lambda _: None)]
    assert calls[1].cancel()
    go_on.set()
    for call in (calls[0], calls[2], thread.call(lambda _: None)):
        with pytest.raises(ValueError, match="broken"):
            call.result(60)
    thread.close()
