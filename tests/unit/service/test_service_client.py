"""The typed client, against the real app over a real socket and against broken streams."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import httpx
import pytest
import uvicorn

from rkd_online import client as client_module
from rkd_online.client import Client
from rkd_online.errors import ServiceError
from rkd_online.metrics.chrome_trace import chrome_trace
from rkd_online.service.app import create_app
from rkd_online.service.launchers.base import Launch
from rkd_online.service.settings import Settings
from rkd_online.service.state import Status
from tests.unit.metrics.traced import two_steps
from tests.unit.service.plane import SPEC, FakeLauncher, first_key

PNG = b"\x89PNG\r\n\x1a\n"


@contextmanager
def served(settings: Settings, launcher: FakeLauncher) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(settings, launcher), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


def launched(launcher: FakeLauncher) -> Launch:
    deadline = time.monotonic() + 30
    while not launcher.launches:
        assert time.monotonic() < deadline, "no launch within 30 s"
        time.sleep(0.01)
    return launcher.launches[-1]


def report(url: str, launch: Launch, *events: dict[str, object]) -> None:
    httpx.post(
        f"{url}/v1/internal/jobs/{launch.job_id}/attempts/{launch.attempt}/events",
        json=list(events),
        headers={"Authorization": f"Bearer {launch.token}"},
    ).raise_for_status()


def test_a_jobs_whole_life_through_the_client(settings: Settings) -> None:
    launcher = FakeLauncher()
    with served(settings, launcher) as url, Client(url, first_key(settings)) as client:
        assert client.validate(SPEC).plan == "4 steps"
        job = client.submit(SPEC)
        assert (job.status, client.list().data[0].id) == (Status.QUEUED, job.id)
        launch = launched(launcher)
        seen = []
        for event in client.stream(job.id):
            seen.append(event)
            if event.data.get("status") == "starting":
                report(url, launch, {"number": 1, "type": "started"})
            elif event.type == "started":
                report(url, launch, {"number": 2, "type": "finished"})
        assert [event.number for event in seen] == [1, 2, 3, 4, 5, 6]
        assert seen == client.events(job.id).data
        assert client.get(job.id).status is Status.SUCCEEDED
        assert client.list(status=Status.QUEUED).data == []
        (launch.job_dir / "report.json").write_text('{"gap_closed": 0.5}')
        assert client.report(job.id) == {"gap_closed": 0.5}
        (launch.job_dir / "report.png").write_bytes(PNG)
        assert client.report_plot(job.id) == PNG
        two_steps(launch.job_dir)
        assert "".join(client.trace(job.id)) == "".join(chrome_trace(launch.job_dir))
        with pytest.raises(ServiceError, match="is succeeded cannot become cancelled"):
            client.cancel(job.id)


def test_what_is_wrong_with_a_spec_is_told_line_by_line(settings: Settings) -> None:
    with served(settings, FakeLauncher()) as url, Client(url, first_key(settings)) as client:
        with pytest.raises(ServiceError) as refused:
            client.submit({**SPEC, "steps": 0, "rollout": {"group_size": 1}})
        assert str(refused.value).splitlines() == [
            "rollout.group_size: found 1, should be greater than or equal to 2",
            "steps: found 0, should be greater than 0",
        ]


def test_a_control_plane_that_is_not_there_is_named_with_its_address() -> None:
    with (
        Client("http://127.0.0.1:9") as client,
        pytest.raises(ServiceError, match=r"no control plane answers at http://127\.0\.0\.1:9"),
    ):
        client.get("job-1")


def test_a_trace_that_breaks_off_is_an_error() -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"traceEvents":['
        raise httpx.ReadError("connection reset")

    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=pieces()))
    with (
        Client("http://plane", transport=transport) as client,
        pytest.raises(
            ServiceError, match=r"trace of job-1 from http://plane broke off \(ReadError"
        ),
    ):
        "".join(client.trace("job-1"))


def message(number: int) -> str:
    data = f'{{"number":{number},"at":"2026-03-01T12:00:00Z","type":"log","attempt":1,"data":{{}}}}'
    return f"id: {number}\r\nevent: log\r\ndata: {data}\r\n\r\n"


END = 'event: end\r\ndata: {"status":"succeeded"}\r\n\r\n'


def test_a_broken_stream_is_taken_up_behind_the_last_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "RETRY_SECONDS", 0)
    bodies = [": ping\r\n\r\n" + message(1) + message(2), None, message(3), "", message(4) + END]
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Last-Event-ID"])
        body = bodies[len(asked) - 1]
        if body is None:
            raise httpx.ReadError("connection reset")
        return httpx.Response(200, text=body, headers={"Content-Type": "text/event-stream"})

    with Client("http://plane", transport=httpx.MockTransport(answer)) as client:
        assert [event.number for event in client.stream("job-1")] == [1, 2, 3, 4]
    assert asked == ["0", "2", "2", "3", "3"]


def test_a_quiet_spell_before_a_break_costs_no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection is quiet for an hour, breaks, and is refused once before it comes back."""
    time_now = 0.0
    clock = SimpleNamespace(monotonic=lambda: time_now, sleep=lambda seconds: None)
    monkeypatch.setattr(client_module, "time", clock)
    heartbeat = ": ping\r\n\r\n"
    bodies = [message(1), None, heartbeat, None, heartbeat, None, message(2) + END]

    def quiet_for_an_hour(body: str) -> Iterator[bytes]:
        nonlocal time_now
        yield body.encode()
        time_now += 3600
        if not body.endswith(END):
            raise httpx.ReadError("connection reset")

    def answer(request: httpx.Request) -> httpx.Response:
        body = bodies.pop(0)
        if body is None:
            raise httpx.ConnectError("connection refused")
        headers = {"Content-Type": "text/event-stream"}
        return httpx.Response(200, content=quiet_for_an_hour(body), headers=headers)

    transport = httpx.MockTransport(answer)
    with Client("http://plane", patience_seconds=60, transport=transport) as client:
        assert [event.number for event in client.stream("job-1")] == [1, 2]
    assert bodies == []


def test_an_answer_without_a_word_is_no_return_of_the_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    time_now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal time_now
        time_now += seconds

    clock = SimpleNamespace(monotonic=lambda: time_now, sleep=sleep)
    monkeypatch.setattr(client_module, "time", clock)
    headers = {"Content-Type": "text/event-stream"}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers))
    with (
        Client("http://plane", patience_seconds=5, transport=transport) as client,
        pytest.raises(ServiceError, match=r"within 5 s \(the stream ended before the job did\)"),
    ):
        list(client.stream("job-1"))
    assert time_now == 6.0


def test_a_stream_that_does_not_come_back_ends_with_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "RETRY_SECONDS", 0)

    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    with (
        Client("http://plane", patience_seconds=0, transport=httpx.MockTransport(answer)) as client,
        pytest.raises(ServiceError, match=r"did not come back within 0 s .*connection refused"),
    ):
        list(client.stream("job-1"))


def test_a_stream_of_no_job_is_refused_without_trying_again() -> None:
    problem = {
        "title": "Not Found",
        "status": 404,
        "code": "job_not_found",
        "detail": "there is no job 'job-1'",
        "request_id": "req-1",
    }
    transport = httpx.MockTransport(lambda _: httpx.Response(404, json=problem))
    with (
        Client("http://plane", transport=transport) as client,
        pytest.raises(ServiceError, match=r"there is no job 'job-1' \(job_not_found\)"),
    ):
        list(client.stream("job-1"))
