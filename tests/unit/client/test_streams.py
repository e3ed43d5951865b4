"""Event streams that break, and what comes in pieces."""

from collections.abc import Iterator

import httpx
import pytest

from rkd_online.errors import ServiceError
from tests.unit.client.both import Body, Kind, answering
from tests.unit.client.conftest import Time

SSE = {"Content-Type": "text/event-stream"}
END = 'event: end\r\ndata: {"status":"succeeded"}\r\n\r\n'


def message(number: int) -> str:
    data = f'{{"number":{number},"at":"2026-03-01T12:00:00Z","type":"log","attempt":1,"data":{{}}}}'
    return f"id: {number}\r\nevent: log\r\ndata: {data}\r\n\r\n"


def test_a_trace_that_breaks_off_is_an_error(kind: Kind) -> None:
    body = Body([b'{"traceEvents":[', httpx.ReadError("connection reset")])
    with (
        answering(kind, lambda _: httpx.Response(200, stream=body)) as client,
        pytest.raises(
            ServiceError, match=r"trace of job-1 from http://plane broke off \(ReadError"
        ),
    ):
        "".join(client.trace("job-1"))


def test_a_broken_stream_is_taken_up_behind_the_last_event(kind: Kind, time: Time) -> None:
    bodies = [": ping\r\n\r\n" + message(1) + message(2), None, message(3), "", message(4) + END]
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Last-Event-ID"])
        body = bodies[len(asked) - 1]
        if body is None:
            raise httpx.ReadError("connection reset")
        return httpx.Response(200, text=body, headers=SSE)

    with answering(kind, answer) as client:
        assert [event.number for event in client.stream("job-1")] == [1, 2, 3, 4]
    assert asked == ["0", "2", "2", "3", "3"]


def test_an_event_that_is_none_of_ours_is_an_error(kind: Kind, time: Time) -> None:
    text = 'id: 1\r\ndata: {"number": "one"}\r\n\r\n'
    with (
        answering(kind, lambda _: httpx.Response(200, text=text, headers=SSE)) as client,
        pytest.raises(ServiceError, match=r"^http://plane sent an event of job-1 that this ver"),
    ):
        list(client.stream("job-1"))


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_stream_that_a_proxy_refuses_for_now_is_asked_for_again(
    kind: Kind, time: Time, status: int
) -> None:
    later = httpx.Response(status, headers={"Retry-After": "3"})
    answers = [httpx.Response(200, text=message(1), headers=SSE), later]
    answers.append(httpx.Response(200, text=message(2) + END, headers=SSE))
    with answering(kind, lambda _: answers.pop(0)) as client:
        assert [event.number for event in client.stream("job-1")] == [1, 2]
    assert time.slept == [1, 3]


def test_a_quiet_spell_before_a_break_costs_no_patience(kind: Kind, time: Time) -> None:
    """Each connection is quiet for an hour, breaks, and is refused once before it comes back."""
    heartbeat = ": ping\r\n\r\n"
    bodies = [message(1), None, heartbeat, None, heartbeat, None, message(2) + END]

    def quiet_for_an_hour(body: str) -> Iterator[bytes | Exception]:
        yield body.encode()
        time.now += 3600
        if not body.endswith(END):
            yield httpx.ReadError("connection reset")

    def answer(request: httpx.Request) -> httpx.Response:
        body = bodies.pop(0)
        if body is None:
            raise httpx.ConnectError("connection refused")
        return httpx.Response(200, stream=Body(quiet_for_an_hour(body)), headers=SSE)

    with answering(kind, answer, patience_seconds=60) as client:
        assert [event.number for event in client.stream("job-1")] == [1, 2]
    assert bodies == []


def test_an_answer_without_a_word_is_no_return_of_the_stream(kind: Kind, time: Time) -> None:
    began = time.now
    with (
        answering(kind, lambda _: httpx.Response(200, headers=SSE), patience_seconds=5) as client,
        pytest.raises(ServiceError, match=r"within 5 s \(the stream ended before the job did\)"),
    ):
        list(client.stream("job-1"))
    assert time.now - began == 6.0


def test_a_stream_that_does_not_come_back_ends_with_an_error(kind: Kind, time: Time) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    with (
        answering(kind, answer, patience_seconds=0) as client,
        pytest.raises(ServiceError, match=r"did not come back within 0 s .*connection refused"),
    ):
        list(client.stream("job-1"))
    assert time.slept == [1]


def test_a_stream_of_no_job_is_refused_without_trying_again(kind: Kind, time: Time) -> None:
    problem = {
        "title": "Not Found",
        "status": 404,
        "code": "job_not_found",
        "detail": "there is no job 'job-1'",
        "request_id": "req-1",
    }
    with (
        answering(kind, lambda _: httpx.Response(404, json=problem)) as client,
        pytest.raises(ServiceError, match=r"there is no job 'job-1' \(job_not_found\)"),
    ):
        list(client.stream("job-1"))
    assert time.slept == []
