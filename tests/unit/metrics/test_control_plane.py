"""The sink against a control plane that answers as the test says."""

import json
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rkd_online.metrics import control_plane
from rkd_online.metrics.control_plane import ControlPlaneSink
from rkd_online.types import StepReport

URL = "http://plane/v1/internal/jobs/j/attempts/2/events"


class Plane:
    """Answers with what ``answers`` gives, then with success; keeps every batch."""

    def __init__(self, *answers: int | Exception) -> None:
        self.batches: list[Any] = []
        self.tokens: set[str] = set()
        self.status = "running"
        self._answers: Iterator[int | Exception] = iter(answers)
        self._came = threading.Condition()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == URL
        with self._came:
            self.tokens.add(request.headers["Authorization"])
            self.batches.append(json.loads(request.content))
            self._came.notify_all()
            answer = next(self._answers, 200)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, json={"accepted": 0, "status": self.status})

    def wait(self, what: Callable[[], bool]) -> None:
        with self._came:
            assert self._came.wait_for(what, timeout=20), self.batches


@pytest.fixture
def unsent(tmp_path: Path) -> Path:
    return tmp_path / "attempts" / "2" / "unsent.jsonl"


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_plane, "RETRY_SECONDS", 0.01)


def sink_to(plane: Plane, unsent: Path) -> ControlPlaneSink:
    return ControlPlaneSink(
        URL, token="secret", unsent=unsent, transport=httpx.MockTransport(plane)
    )


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["number"] for event in events]


def kept(unsent: Path) -> list[int]:
    return numbers([json.loads(line) for line in unsent.read_text().splitlines()])


def test_events_arrive_in_order_with_the_attempts_token(unsent: Path) -> None:
    plane = Plane()
    sink = sink_to(plane, unsent)
    sink.event("started", {"attempt": 2})
    sink.report(StepReport(1, 1, 0, {"step": 0.5}, {"reward/mean": 0.25}))
    sink.close()
    first, second = (event for batch in plane.batches for event in batch)
    assert first == {"number": 1, "type": "started", "data": {"attempt": 2}}
    assert (second["number"], second["type"]) == (2, "step")
    assert second["data"]["metrics"] == {"reward/mean": 0.25}
    assert plane.tokens == {"Bearer secret"}
    assert not unsent.exists()


def test_a_batch_is_sent_again_until_it_is_taken(unsent: Path) -> None:
    plane = Plane(httpx.ConnectError("refused"), 503, 429)
    sink = sink_to(plane, unsent)
    sink.event("started", {})
    sink.close()
    assert [numbers(batch) for batch in plane.batches] == [[1], [1], [1], [1]]
    assert not unsent.exists()


def test_silence_is_filled_with_empty_batches(
    unsent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_plane, "HEARTBEAT_SECONDS", 0.01)
    plane = Plane(503)
    sink = sink_to(plane, unsent)
    plane.wait(lambda: len(plane.batches) >= 3)
    sink.close()
    assert plane.batches[:3] == [[], [], []]


@pytest.mark.parametrize("answer", [401, 409])
def test_a_replaced_attempt_learns_that_it_is_fenced_and_falls_silent(
    answer: int, unsent: Path
) -> None:
    plane = Plane(answer)
    sink = sink_to(plane, unsent)
    sink.event("started", {})
    sink.event("log", {"message": "late"})
    sink.close()
    assert sink.fenced
    assert len(plane.batches) == 1
    assert kept(unsent) == [1, 2]


def test_the_answer_tells_the_run_to_stop(unsent: Path) -> None:
    plane = Plane()
    plane.status = "stopping"
    sink = sink_to(plane, unsent)
    sink.event("started", {})
    sink.close()
    assert sink.stopping and not sink.fenced


def test_what_is_refused_for_good_is_kept_and_holds_nothing_back(unsent: Path) -> None:
    plane = Plane(422)
    sink = sink_to(plane, unsent)
    sink.event("nonsense", {})
    plane.wait(lambda: len(plane.batches) == 1)
    sink.event("started", {})
    sink.close()
    assert kept(unsent) == [1]
    assert numbers(plane.batches[-1]) == [2]


def test_a_control_plane_that_is_away_loses_nothing(
    unsent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_plane, "MOST_WAITING", 3)
    away = threading.Event()

    def hang(request: httpx.Request) -> httpx.Response:
        away.wait(20)
        raise httpx.ConnectError("gone")

    sink = ControlPlaneSink(URL, token="t", unsent=unsent, transport=httpx.MockTransport(hang))
    for step in range(1, 9):
        sink.event("log", {"message": str(step)})
    sink.close(timeout=0.01)
    away.set()
    assert sorted(kept(unsent)) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_metric_that_is_not_finite_stays_out_of_a_report(unsent: Path) -> None:
    plane = Plane()
    sink = sink_to(plane, unsent)
    sink.report(StepReport(1, 1, 0, {}, {"policy/kl_old_k3": math.inf, "reward/mean": 1.0}))
    sink.close()
    assert plane.batches[-1][0]["data"]["metrics"] == {"reward/mean": 1.0}
