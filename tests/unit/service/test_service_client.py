"""Both typed clients against the real app over a real socket."""

import hashlib
import io
import json
import re
import socket
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from rkd_online.client import Client, ProblemError
from rkd_online.errors import ServiceError
from rkd_online.metrics.chrome_trace import chrome_trace
from rkd_online.service.access.scope import Scope
from rkd_online.service.app import create_app
from rkd_online.service.launchers.base import Launch
from rkd_online.service.schemas.access import ProjectRecord, Quota
from rkd_online.service.schemas.job import Budget, JobRecord
from rkd_online.service.settings import Settings
from rkd_online.service.state import Status
from tests.unit.cli.answers import record
from tests.unit.client.both import KINDS, Kind, answering, opened
from tests.unit.metrics.traced import two_steps
from tests.unit.service.plane import SPEC, FakeLauncher, first_key
from tests.unit.service.written_rollouts import write_step

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


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


@contextmanager
def connected(
    kind: Kind, settings: Settings, launcher: FakeLauncher | None = None
) -> Iterator[Client]:
    """A client with the first key, of a control plane that is served for it."""
    with (
        served(settings, launcher or FakeLauncher()) as url,
        opened(kind, url, first_key(settings)) as client,
    ):
        yield client


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


def test_a_jobs_whole_life_through_the_client(kind: Kind, settings: Settings) -> None:
    launcher = FakeLauncher()
    with served(settings, launcher) as url, opened(kind, url, first_key(settings)) as client:
        validation = client.validate(SPEC)
        assert (validation.plan, validation.verdict.fits) == ("4 steps", True)
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
        assert seen == client.events(job.id).data == list(client.all_events(job.id, limit=2))
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


def test_a_job_is_changed_as_it_was_read(kind: Kind, settings: Settings) -> None:
    with connected(kind, settings.model_copy(update={"max_running_jobs": 0})) as client:
        job = client.submit(
            SPEC, labels={"team": "a"}, priority=3, budget=Budget(wall_seconds=60, tokens=9)
        )
        changed = client.change(job, learning_rate=1e-5, labels={"team": "b"}, budget=None)
        assert changed.spec["optimizer"]["learning_rate"] == 1e-5
        assert (changed.labels, changed.priority, changed.budget) == ({"team": "b"}, 3, None)
        with pytest.raises(ProblemError) as refused:
            client.change(job, priority=4)
        assert (refused.value.status, refused.value.code) == (412, "revision_changed")
        again = client.change(client.get(job.id), budget=Budget(gpu_hours=2))
        assert again.budget == Budget(gpu_hours=2)


def test_a_job_is_paused_resumed_and_cancelled(kind: Kind, settings: Settings) -> None:
    with connected(kind, settings.model_copy(update={"max_running_jobs": 0})) as client:
        job = client.submit(SPEC)
        assert client.pause(job.id).status is Status.PAUSED
        assert client.resume(job.id, revision=job.revision + 1).status is Status.QUEUED
        with pytest.raises(ProblemError, match="revision_changed"):
            client.cancel(job.id, revision=job.revision)
        assert client.cancel(job.id).status is Status.CANCELLED


def test_lists_are_filtered_and_gone_through(kind: Kind, settings: Settings) -> None:
    with connected(kind, settings.model_copy(update={"max_running_jobs": 0})) as client:
        client.make_project("research")
        ids = [client.submit(SPEC, labels={"run": str(number)}).id for number in range(5)]
        other = client.submit(SPEC, project="research", labels={"run": "0"})
        assert [job.id for job in client.all_jobs(project="default", limit=2)] == ids[::-1]
        assert {job.id for job in client.all_jobs(labels={"run": "0"})} == {ids[0], other.id}
        client.pause(ids[1])
        client.cancel(ids[2])
        wanted = [Status.PAUSED, Status.CANCELLED]
        assert [job.id for job in client.list(status=wanted).data] == [ids[2], ids[1]]
        newer = client.list(created_after=client.get(ids[3]).created_at)
        assert [job.id for job in newer.data] == [other.id, ids[4]]


def test_projects_keys_and_audit_through_the_client(kind: Kind, settings: Settings) -> None:
    with served(settings, FakeLauncher()) as url, opened(kind, url, first_key(settings)) as client:
        assert (client.whoami().scope, client.live().status) == (Scope.ADMIN, "ok")
        assert client.ready() == client.live()
        project = client.make_project("research", Quota(max_queued_jobs=1))
        limited = client.set_quota(project, Quota(max_gpus=2))
        assert limited.quota == Quota(max_gpus=2) == client.project("research").quota
        assert [one.id for one in client.all_projects(limit=1)] == ["default", "research"]
        made = client.make_key("ada", Scope.VIEWER, project="research")
        with opened(kind, url, made.key) as ada:
            assert ada.whoami().id == made.id
            assert [one.id for one in ada.projects().data] == ["research"]
            rotated = client.rotate_key(made.id)
            with pytest.raises(ProblemError, match="invalid_key"):
                ada.whoami()
        assert client.key(made.id).revoked_at is not None
        assert client.revoke_key(rotated.id).revoked_at is not None
        assert [one.id for one in client.keys(project="research").data] == [rotated.id, made.id]
        assert [entry.action for entry in client.all_audit(project="research", limit=2)] == [
            *("key.revoke", "key.rotate", "key.make", "project.quota", "project.make")
        ]


def test_what_a_job_leaves_behind_is_read(kind: Kind, settings: Settings) -> None:
    launcher = FakeLauncher(logs={"driver": "started\n", "1 learner:1 out": "a\nb\n"})
    with served(settings, launcher) as url, opened(kind, url, first_key(settings)) as client:
        job = client.submit(SPEC).id
        launch = launched(launcher)
        report(url, launch, {"number": 1, "type": "started"}, *map(_step, (1, 2, 3)))
        assert [one.name for one in client.metrics(job).data] == ["reward/mean", "reward/std"]
        (found,) = client.metrics(job, ["reward/mean"], from_step=2, max_points=10).data
        assert found.series is not None and found.series.mean == [0.5, 0.75]
        assert client.log(job).text == "started\n"
        assert client.log(job, role="learner", index=1, stream="out", tail=1).text == "b\n"
        write_step(launch.job_dir, 3, {7: (1.0, 0.0), 8: (0.0, 0.0)})
        wrong = client.all_rollouts(job, limit=1, correct=False)
        assert [one.id for one in wrong] == ["3-7-1", "3-8-0", "3-8-1"]
        assert [one.id for one in client.rollouts(job, step=3, group=7, correct=True).data] == [
            "3-7-0"
        ]
        assert len(client.rollout(job, "3-7-0").sampler_logprobs) > 0


def test_checkpoints_are_downloaded_whole_and_in_part(kind: Kind, settings: Settings) -> None:
    launcher, name = FakeLauncher(), "1-step-000003"
    with served(settings, launcher) as url, opened(kind, url, first_key(settings)) as client:
        job = client.submit(SPEC).id
        digest = _checkpoint(launched(launcher).job_dir / "attempts/1/checkpoints/step-000003")
        assert [one.name for one in client.all_checkpoints(job)] == [name]
        weights, manifest = client.all_files(job, name, limit=1)
        assert (weights.path, weights.bytes, weights.sha256) == ("a b/w#1.bin", 7, digest)
        assert (manifest.path, manifest.sha256) == ("manifest.json", None)
        place = (job, name, weights.path)
        assert b"".join(client.download(*place)) == b"weights"
        assert b"".join(client.download(*place, start=4, etag=digest)) == b"hts"
        with pytest.raises(
            ServiceError, match=r"is not what it was: ask for it from its beginning"
        ):
            list(client.download(*place, start=4, etag="another"))
        packed = io.BytesIO(b"".join(client.archive(job, name)))
        with tarfile.open(fileobj=packed) as tar:
            assert tar.getnames() == [f"{name}/{weights.path}", f"{name}/manifest.json"]


def _step(number: int) -> dict[str, Any]:
    report = {"step": number, "version": number, "staleness": 0, "timings": {"step": 1.0}}
    metrics = {"reward/mean": number / 4, "reward/std": 0.0}
    return {"number": number + 1, "type": "step", "data": {**report, "metrics": metrics}}


def _checkpoint(folder: Path) -> str:
    """Write the least that is one; returns the digest of its weights."""
    (folder / "a b").mkdir(parents=True)
    (folder / "a b" / "w#1.bin").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    manifest = {"files": {"a b/w#1.bin": {"sha256": digest}}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return digest


def test_a_change_whose_answer_was_lost_is_made_once(kind: Kind, settings: Settings) -> None:
    """The answers to each first try get lost on the way, after the service did what they say."""
    lost: set[str] = set()
    waiting = settings.model_copy(update={"max_running_jobs": 0})
    with served(waiting, FakeLauncher()) as url, httpx.Client(base_url=url) as real:

        def forward(request: httpx.Request) -> httpx.Response:
            headers = {name: value for name, value in request.headers.items() if name != "host"}
            where = request.url.raw_path.decode()
            answer = real.request(request.method, where, content=request.content, headers=headers)
            place = f"{request.method} {request.url.path}"
            if place not in lost:
                lost.add(place)
                raise httpx.ReadError("connection reset")
            return httpx.Response(answer.status_code, content=answer.content)

        with answering(kind, forward, key=first_key(settings)) as client:
            job = client.submit(SPEC)
            # The second PATCH would meet a revision that the first one made.
            assert client.change(job, priority=7).revision == job.revision + 1
            assert [one.id for one in client.all_jobs()] == [job.id]
            with pytest.raises(ServiceError, match="the answer that showed it was lost"):
                client.make_key("ada", Scope.VIEWER)
    assert len(lost) == 4


def test_what_is_wrong_with_a_spec_is_told_line_by_line(kind: Kind, settings: Settings) -> None:
    with connected(kind, settings) as client, pytest.raises(ServiceError) as refused:
        client.submit({**SPEC, "steps": 0, "rollout": {"group_size": 1}})
    assert str(refused.value).splitlines() == [
        "rollout.group_size: found 1, should be greater than or equal to 2",
        "steps: found 0, should be greater than 0",
    ]


def test_a_control_plane_that_is_not_there_is_named_with_its_address(kind: Kind) -> None:
    with (
        opened(kind, "http://127.0.0.1:9", retry_seconds=0) as client,
        pytest.raises(ServiceError, match=r"no control plane answers at http://127\.0\.0\.1:9"),
    ):
        client.get("job-1")


def test_every_operation_of_the_api_has_a_method(tmp_path: Path) -> None:
    asked: set[tuple[str, str]] = set()

    def note(request: httpx.Request) -> httpx.Response:
        asked.add((request.method.lower(), request.url.path))
        return httpx.Response(404)

    with answering("blocking", note) as client:
        for call in _calls(client):
            with pytest.raises(ServiceError):
                call()
    app = create_app(Settings(data_dir=tmp_path))
    paths = {
        (method, re.sub(r"\{(\w)[^}]*\}", lambda found: found[1].upper(), path))
        for path, methods in app.openapi()["paths"].items()
        for method in methods
        if "/internal/" not in path and path != "/metrics"
    }
    assert asked == paths


def _calls(client: Client) -> Iterator[Any]:
    job = JobRecord.model_validate(record("running") | {"id": "J"})
    usage = {"active_jobs": 0, "queued_jobs": 0, "gpus": 0}
    found = {"id": "P", "created_at": "2026-03-01T12:00:00Z", "revision": 1, "quota": {}}
    project = ProjectRecord.model_validate(found | {"usage": usage})
    yield from (client.list, client.projects, client.keys, client.audit, client.whoami)
    yield from (client.live, client.ready)
    for method in (client.submit, client.validate):
        yield lambda method=method: method(SPEC)
    for act in (client.get, client.cancel, client.pause, client.resume, client.events):
        yield lambda act=act: act("J")
    for look in (client.report, client.report_plot, client.metrics, client.log):
        yield lambda look=look: look("J")
    for flow in (client.trace, client.stream):
        yield lambda flow=flow: list(flow("J"))
    for access in (client.key, client.rotate_key, client.revoke_key):
        yield lambda access=access: access("K")
    yield lambda: client.rollouts("J")
    yield lambda: client.rollout("J", "R")
    yield lambda: client.checkpoints("J")
    yield lambda: client.files("J", "N")
    yield lambda: list(client.download("J", "N", "P"))
    yield lambda: list(client.archive("J", "N"))
    yield lambda: client.change(job, priority=1)
    yield lambda: client.set_quota(project, Quota())
    yield lambda: client.project("P")
    yield lambda: client.make_project("P")
    yield lambda: client.make_key("ada", Scope.VIEWER)
