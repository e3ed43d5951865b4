"""What is sent again, how long for, and what is not."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, TypeAlias

import httpx
import pytest

from rkd_online.client import ProblemError
from rkd_online.client.retries import retry_after
from rkd_online.errors import ServiceError
from tests.unit.cli.answers import record
from tests.unit.client.both import Body, Kind, answering
from tests.unit.client.conftest import Time

GOOD = (200, record("queued"))
BROKEN = (
    httpx.ConnectError("connection refused"),
    httpx.ConnectTimeout("timed out"),
    httpx.ReadTimeout("timed out"),
    httpx.ReadError("connection reset"),
    httpx.RemoteProtocolError("closed without an answer"),
)


Answer: TypeAlias = tuple[int, Any] | Exception


class Script:
    """Answers in turn, and what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        if isinstance(body, Body):
            return httpx.Response(status, stream=body)
        if isinstance(body, dict) and "id" in body:
            return httpx.Response(status, json=body)
        return httpx.Response(status, text="bad gateway", headers=body)


def unavailable(status: int, **headers: str) -> Answer:
    """Of a proxy."""
    return status, headers


def asks_for(seconds: str) -> httpx.Response:
    return httpx.Response(429, headers={"Retry-After": seconds})


@pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)
def test_a_submission_that_broke_is_sent_again_with_the_same_key(
    kind: Kind, time: Time, error: Exception
) -> None:
    script = Script(error, error, (201, record("queued")))
    with answering(kind, script) as client:
        assert client.submit({"steps": 60}).status == "queued"
    keys = {request.headers["Idempotency-Key"] for request in script.asked}
    assert (len(script.asked), len(keys), len(time.slept)) == (3, 1, 2)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_an_answer_of_a_proxy_without_a_service_is_not_the_last_word(
    kind: Kind, time: Time, status: int
) -> None:
    script = Script(unavailable(status), unavailable(status), GOOD)
    with answering(kind, script) as client:
        assert client.get("job-1").name == "quickstart"
    assert len(script.asked) == 3


def test_waits_double_up_to_a_limit_and_differ_by_chance(kind: Kind, time: Time) -> None:
    script = Script(*[unavailable(503)] * 9, GOOD)
    with answering(kind, script, retry_seconds=100) as client:
        client.get("job-1")
    longest = [0.25, 0.5, 1, 2, 4, 8, 8, 8, 8]
    assert [
        limit / 2 <= wait <= limit for wait, limit in zip(time.slept, longest, strict=True)
    ] == ([True] * 9)
    assert time.slept != longest


def test_retry_after_is_waited_for(kind: Kind, time: Time) -> None:
    script = Script(unavailable(429, **{"Retry-After": "17"}), GOOD)
    with answering(kind, script) as client:
        client.get("job-1")
    assert time.slept == [17]


def test_a_wait_beyond_the_patience_is_the_refusal_at_once(kind: Kind, time: Time) -> None:
    script = Script(unavailable(429, **{"Retry-After": "17"}))
    with (
        answering(kind, script, retry_seconds=16) as client,
        pytest.raises(ServiceError, match="http://plane answered 429: bad gateway"),
    ):
        client.get("job-1")
    assert time.slept == []


def test_patience_ends_in_what_was_met_last(kind: Kind, time: Time) -> None:
    began = time.now

    def refuse(request: httpx.Request) -> httpx.Response:
        time.now += 4
        raise httpx.ConnectTimeout("timed out")

    with (
        answering(kind, refuse, retry_seconds=20) as client,
        pytest.raises(ServiceError, match=r"no control plane answers at http://plane \(ConnectTi"),
    ):
        client.get("job-1")
    assert 16 <= time.now - began <= 24
    assert len(time.slept) == 4


@pytest.mark.parametrize(
    "answer",
    [
        unavailable(400),
        unavailable(404),
        unavailable(412),
        unavailable(429),
        unavailable(500),
        httpx.UnsupportedProtocol("ftp:// is none of ours"),
    ],
    ids=lambda answer: type(answer).__name__ if isinstance(answer, Exception) else str(answer[0]),
)
def test_what_another_try_would_meet_again_is_not_sent_again(
    kind: Kind, time: Time, answer: Answer
) -> None:
    script = Script(answer)
    with answering(kind, script) as client, pytest.raises(ServiceError):
        client.get("job-1")
    assert (len(script.asked), time.slept) == (1, [])


def test_a_probe_is_answered_by_its_moment(kind: Kind, time: Time) -> None:
    problem = {
        "title": "Service Unavailable",
        "status": 503,
        "code": "database_away",
        "detail": "this process is about to end",
        "request_id": "req-1",
    }
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(503, json=problem)

    with answering(kind, answer) as client, pytest.raises(ProblemError) as refused:
        client.ready()
    assert (refused.value.code, asked) == ("database_away", ["/readyz"])


def test_a_body_that_breaks_off_is_asked_for_again(kind: Kind, time: Time) -> None:
    cut = Body([b"{", httpx.ReadError("connection reset")])
    script = Script((200, cut), GOOD)
    with answering(kind, script) as client:
        assert client.get("job-1").status == "queued"


def test_retry_after_may_be_a_date() -> None:
    moment = datetime.now(UTC) + timedelta(seconds=100)
    found = retry_after(asks_for(format_datetime(moment, usegmt=True)))
    assert found is not None and 98 < found <= 100
    assert retry_after(asks_for("Mon, 01 Jan 2024 00:00:00 GMT")) == 0
    assert retry_after(asks_for("soon")) is None
