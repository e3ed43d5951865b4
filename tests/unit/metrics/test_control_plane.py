"""The sink against a control plane that answers as the test says."""

import json
import math
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rkd_online.metrics import control_plane
from rkd_online.metrics.control_plane import ControlPlaneSink
from rkd_online.spec.changes import Changes, ChangesSoFar
from rkd_online.types import StepReport

URL = "http://plane/v1/internal/jobs/j/attempts/2/events"


class Plane:
    """Answers with what ``answers`` gives, then with success; keeps every batch. It refuses events
    of type ``nonsense`` and bodies of more than ``most`` bytes, and does not answer while ``away``
    is set."""

    def __init__(self, *answers: int | Exception, most: int = 1 << 20) -> None:
        self.batches: list[Any] = []
        self.tokens: set[str] = set()
        self.status = "running"
        self.changes: Any = None
        self.taken: list[int] = []
        self.sizes: list[int] = []
        self.back = threading.Event()
        self.back.set()
        self._most = most
        self._answers: Iterator[int | Exception] = iter(answers)
        self._came = threading.Condition()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == URL
        batch = json.loads(request.content)
        with self._came:
            self.tokens.add(request.headers["Authorization"])
            self.batches.append(batch)
            self.sizes.append(len(request.content))
            self._came.notify_all()
            answer = next(self._answers, self._answer(batch, len(request.content)))
        if not self.back.wait(20):
            raise httpx.ReadTimeout("no answer")
        if isinstance(answer, Exception):
            raise answer
        if answer == 200:
            self.taken += numbers(batch)
        return httpx.Response(answer, json=self.receipt())

    def receipt(self) -> Any:
        return {"accepted": 0, "status": self.status, "changes": self.changes}

    def _answer(self, batch: list[dict[str, Any]], size: int) -> int:
        if size > self._most:
            return 413
        return 422 if any(event["type"] == "nonsense" for event in batch) else 200

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


def test_the_answer_tells_the_run_to_pause_and_what_was_changed(unsent: Path) -> None:
    plane = Plane()
    plane.status = "pausing"
    plane.changes = {"number": 3, "values": {"learning_rate": 1e-5, "steps": 80}}
    sink = sink_to(plane, unsent)
    assert (sink.pausing, sink.changes) == (False, None)
    sink.event("started", {})
    sink.close()
    assert (sink.pausing, sink.stopping) == (True, False)
    assert sink.changes == ChangesSoFar(number=3, values=Changes(learning_rate=1e-5, steps=80))


def test_changes_that_a_run_cannot_read_do_not_keep_it_from_reporting(
    unsent: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plane = Plane()
    plane.changes = {"number": 1, "values": {"seed": 3}}
    sink = sink_to(plane, unsent)
    sink.event("started", {})
    sink.close()
    assert (plane.taken, sink.changes) == ([1], None)
    assert "goes on without changes that it cannot read" in caplog.text


@pytest.mark.parametrize("receipt", [[], "a page of a proxy", {"accepted": 1}])
def test_what_is_no_receipt_is_no_delivery(unsent: Path, receipt: Any) -> None:
    plane = Plane()
    sink = sink_to(plane, unsent)
    plane.receipt = lambda: receipt  # type: ignore[method-assign]
    sink.event("started", {})
    plane.wait(lambda: len(plane.batches) >= 2)
    sink.close(timeout=0.05)
    assert kept(unsent) == [1]


def test_of_a_refused_batch_only_what_is_wrong_with_it_is_lost_and_named(
    unsent: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plane = Plane()
    plane.back.clear()
    sink = sink_to(plane, unsent)
    for number in range(1, 301):
        sink.event("nonsense" if number in (70, 71, 250) else "log", {"message": str(number)})
    plane.back.set()
    sink.close()
    assert plane.taken == [n for n in range(1, 301) if n not in (70, 71, 250)]
    assert kept(unsent.with_name("refused.jsonl")) == [70, 71, 250]
    assert not unsent.exists()
    refused = [one.message for one in caplog.records if one.levelname == "ERROR"]
    assert [line.partition(" is refused")[0] for line in refused] == [
        "event 70 (nonsense)",
        "event 71 (nonsense)",
        "event 250 (nonsense)",
    ]


def test_a_body_that_is_too_large_is_sent_in_parts(unsent: Path) -> None:
    plane = Plane(most=500)
    plane.back.clear()
    sink = sink_to(plane, unsent)
    for _ in range(40):
        sink.event("log", {"message": "x" * 50})
    plane.back.set()
    sink.close()
    assert plane.taken == list(range(1, 41))
    assert not unsent.with_name("refused.jsonl").exists()


def test_a_batch_has_200_events_and_less_than_a_mebibyte(unsent: Path) -> None:
    plane = Plane()
    plane.back.clear()
    sink = sink_to(plane, unsent)
    sink.event("started", {})
    plane.wait(lambda: len(plane.batches) == 1)
    for _ in range(250):
        sink.event("log", {"message": "short"})
    for _ in range(30):
        sink.event("log", {"message": "x" * 100_000})
    plane.back.set()
    sink.close()
    assert plane.taken == list(range(1, 282))
    assert [len(batch) for batch in plane.batches] == [1, 200, 60, 10, 10]
    assert max(plane.sizes) < 1 << 20


def test_an_event_that_no_body_takes_is_named_and_holds_nothing_back(
    unsent: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plane = Plane()
    sink = sink_to(plane, unsent)
    frame = len('{"number": 1, "type": "log", "data": {"message": ""}}')
    sink.event("log", {"message": "x" * ((1 << 20) - 3 - frame)})
    sink.event("log", {"message": "x" * ((1 << 20) - 2 - frame)})
    sink.event("finished", {})
    sink.close()
    assert plane.taken == [1, 3]
    assert max(plane.sizes) == (1 << 20) - 1
    assert kept(unsent.with_name("refused.jsonl")) == [2]
    assert "event 2 (log) is refused" in caplog.text


def test_during_an_outage_events_wait_on_disk_and_nobody_waits_for_them(unsent: Path) -> None:
    """The plane has not answered yet when all events are there, and memory has none of them."""
    plane = Plane(httpx.ConnectError("gone"), 503, httpx.ReadTimeout("gone"))
    plane.back.clear()
    sink = sink_to(plane, unsent)
    for step in range(1, 5001):
        sink.event("log", {"message": str(step)})
    assert len(plane.batches) <= 1
    assert kept(unsent) == list(range(1, 5001))
    assert (len(sink._spool), len(sink._spool._beside)) == (5000, 0)
    plane.back.set()
    sink.close()
    assert plane.taken == list(range(1, 5001))
    assert max(map(len, plane.batches)) == 200
    assert not unsent.exists()


def test_what_is_not_sent_in_the_end_stays_and_is_named(
    unsent: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plane = Plane(200, *[503] * 1000)
    sink = sink_to(plane, unsent)
    sink.event("started", {})
    plane.wait(lambda: len(plane.batches) == 1)
    for _ in range(25):
        sink.event("log", {"message": "?"})
    sink.event("finished", {})
    sink.close(timeout=0.05)
    assert kept(unsent) == list(range(2, 28))
    (warning,) = [one.message for one in caplog.records if one.levelname == "WARNING"]
    assert warning.startswith(
        f"26 events do not reach {URL} and stay in {unsent}: event 2 (log), event 3 (log), "
    )
    assert warning.endswith("event 21 (log) and 6 more, up to event 27")


def test_what_comes_after_the_end_leaves_what_stays_behind_alone(unsent: Path) -> None:
    plane = Plane(*[503] * 1000)
    sink = sink_to(plane, unsent)
    sink.event("started", {})
    sink.close(timeout=0.05)
    sink.event("log", {"message": "of a thread that was not waited for"})
    assert kept(unsent) == [1]


def test_a_run_whose_file_cannot_be_read_goes_on_to_show_that_it_lives(
    unsent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, broken = os.pread, threading.Event()
    broken.set()

    def pread(file: int, size: int, offset: int) -> bytes:
        if broken.is_set():
            raise OSError(5, "Input/output error")
        return read(file, size, offset)

    monkeypatch.setattr("rkd_online.metrics.spool.os.pread", pread)
    plane = Plane()
    sink = sink_to(plane, unsent)
    sink.event("started", {})
    plane.wait(lambda: len(plane.batches) >= 2)
    assert plane.batches[:2] == [[], []]
    broken.clear()
    sink.close()
    assert plane.taken == [1]


def test_a_metric_that_is_not_finite_stays_out_of_a_report(unsent: Path) -> None:
    plane = Plane()
    sink = sink_to(plane, unsent)
    sink.report(StepReport(1, 1, 0, {}, {"policy/kl_old_k3": math.inf, "reward/mean": 1.0}))
    sink.close()
    assert plane.batches[-1][0]["data"]["metrics"] == {"reward/mean": 1.0}
