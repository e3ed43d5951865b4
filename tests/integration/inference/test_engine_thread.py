"""The start of an engine's thread, with a stand-in for the engine."""

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
