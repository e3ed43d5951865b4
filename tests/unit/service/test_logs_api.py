"""The logs of a job's runs, as far as the cluster has them."""

import os

import pytest

from rkd_online import log_end
from rkd_online.service.launchers.base import (
    LauncherError,
    LauncherRefused,
    LauncherUnavailable,
    RunState,
)
from rkd_online.service.reading import kept_logs, log_text
from rkd_online.service.reading.log_text import without_secrets
from rkd_online.service.safety.redaction import Redactor
from tests.unit.service.plane import Plane

pytestmark = pytest.mark.asyncio


async def test_the_log_of_the_driver_is_the_default(plane: Plane) -> None:
    launch = await plane.running()
    answer = await plane.http.get(f"/v1/jobs/{launch.job_id}/logs")
    assert answer.status_code == 200
    assert answer.json() == {
        "attempt": 1,
        "role": "driver",
        "worker": None,
        "stream": None,
        "text": "Killed",
    }


@pytest.mark.parametrize(
    ("query", "worker", "stream"),
    [
        ("role=generator", "generator:0", "err"),
        ("role=generator&index=3&stream=out", "generator:3", "out"),
        ("role=scorer", "scorer:0", "err"),
        ("role=scorer&teacher=sums%2Bproducts-2&index=1", "scorer:sums+products-2:1", "err"),
        ("role=learner&stream=err", "learner:0", "err"),
        ("role=evaluator", "evaluator:0", "err"),
    ],
)
async def test_a_worker_is_asked_for_by_role_place_and_stream(
    plane: Plane, query: str, worker: str, stream: str
) -> None:
    launch = await plane.running()
    plane.launcher.logs[f"1 {worker} {stream}"] = "first\nsecond\nthird\n"
    answer = await plane.http.get(f"/v1/jobs/{launch.job_id}/logs?{query}&tail=2")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "attempt": 1,
        "role": query.partition("&")[0].removeprefix("role="),
        "worker": worker,
        "stream": stream,
        "text": "second\nthird\n",
    }


@pytest.mark.parametrize("role", ["driver", "learner"])
async def test_secrets_are_taken_out(plane: Plane, role: str) -> None:
    launch = await plane.running()
    key = plane.http.headers["Authorization"].removeprefix("Bearer ")
    text = f"sent {launch.token} with\nAuthorization: Bearer abc\nRKD_API_KEY={key}\nstep 1"
    plane.launcher.logs = {"driver": text, "1 learner:0 err": text}
    answer = await plane.http.get(f"/v1/jobs/{launch.job_id}/logs?role={role}")
    shown = answer.json()["text"]
    assert shown.splitlines() == [
        "sent rkd_attempt_*** with",
        "Authorization: ***",
        f"RKD_API_KEY={key[:16]}_***",
        "step 1",
    ]


async def test_a_long_log_is_searched_in_pieces_that_cut_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A piece ends at the first line behind 20 characters that nothing belongs to."""
    monkeypatch.setattr(log_text, "PIECE", 20)
    redactor = Redactor()
    pieces: list[str] = []

    def upper(piece: str) -> str:
        pieces.append(piece)
        return piece.upper()

    monkeypatch.setattr(redactor, "text", upper)
    lines = ["a" * 30, "b" * 10, "the password:", "", "hunter2", "sent Bearer ", "abc", "c"]
    text = "\n".join(lines)
    assert without_secrets(redactor, text) == text.upper()
    assert [piece.splitlines() for piece in pieces] == [lines[:1], lines[1:5], lines[5:]]


async def test_an_earlier_attempt_can_be_named(plane: Plane) -> None:
    launch = await plane.running()
    plane.launcher.end(launch.job_id, 1, RunState.FAILED)
    await plane.reconcile()
    await plane.reconcile()
    plane.launcher.logs |= {"1 learner:0 err": "of the first", "2 learner:0 err": "of the second"}
    where = f"/v1/jobs/{launch.job_id}/logs?role=learner"
    assert (await plane.http.get(where)).json()["text"] == "of the second"
    assert (await plane.http.get(f"{where}&attempt=1")).json()["text"] == "of the first"
    answer = await plane.http.get(f"{where}&attempt=3")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_log")
    assert answer.json()["detail"].endswith("is starting and has had 2 attempts")


async def test_a_job_that_waits_has_no_log(plane: Plane) -> None:
    job_id = await plane.submit()
    answer = await plane.http.get(f"/v1/jobs/{job_id}/logs")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_log")
    assert answer.json()["detail"] == (
        f"there is no such log: {job_id} is queued and has had 0 attempts"
    )


async def test_a_worker_that_the_cluster_does_not_know_has_none_and_it_says_why(
    plane: Plane,
) -> None:
    launch = await plane.running()
    answer = await plane.http.get(f"/v1/jobs/{launch.job_id}/logs?role=generator&index=7")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_log")
    assert answer.json()["detail"] == "there is no such log: nobody knows 1 generator:7 err"


async def test_a_run_that_printed_nothing_has_an_empty_log_and_a_forgotten_one_none(
    plane: Plane,
) -> None:
    launch = await plane.running()
    plane.launcher.logs["driver"] = ""
    where = f"/v1/jobs/{launch.job_id}/logs"
    assert (await plane.http.get(where)).json()["text"] == ""
    plane.launcher.runs.clear()
    answer = await plane.http.get(where)
    assert (answer.status_code, answer.json()["code"]) == (404, "no_log")
    assert answer.json()["detail"].endswith("is gone: never heard of it")


async def test_a_cluster_that_is_away_may_have_the_log_later(plane: Plane) -> None:
    launch = await plane.running()
    for role in ("driver", "learner"):
        where = f"/v1/jobs/{launch.job_id}/logs?role={role}"
        plane.launcher.trouble = LauncherUnavailable("Ray is not reachable")
        answer = await plane.http.get(where)
        assert (answer.status_code, answer.json()["code"]) == (503, "cluster_unavailable")
        plane.launcher.trouble = LauncherRefused("Ray does not accept the token")
        answer = await plane.http.get(where)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_log")
        assert "does not accept the token" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("role=nobody", "invalid_request"),
        ("index=-1", "invalid_request"),
        ("index=99999999999999999999", "invalid_request"),
        ("attempt=0", "invalid_request"),
        ("attempt=99999999999999999999", "invalid_request"),
        ("tail=0", "invalid_request"),
        ("tail=10001", "invalid_request"),
        ("stream=both", "invalid_request"),
        ("role=scorer&teacher=%00", "invalid_request"),
        ("role=scorer&teacher=a%0A", "invalid_request"),
        ("role=scorer&teacher=x:0", "invalid_request"),
        ("role=scorer&teacher=..%2F..", "invalid_request"),
        ("role=scorer&teacher=" + "x" * 1001, "invalid_request"),
        ("role=learner&teacher=sums", "invalid_log"),
    ],
)
async def test_what_cannot_be_asked_is_refused(plane: Plane, query: str, code: str) -> None:
    launch = await plane.running()
    answer = await plane.http.get(f"/v1/jobs/{launch.job_id}/logs?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text


@pytest.mark.parametrize(
    "error", [LauncherRefused("its Ray is gone"), LauncherUnavailable("Ray is not reachable")]
)
async def test_a_workers_log_outlives_its_cluster_where_the_run_kept_it(
    plane: Plane, error: LauncherError
) -> None:
    launch = await plane.running()
    kept = launch.job_dir / "attempts" / "1" / "logs"
    kept.mkdir(parents=True)
    (kept / "scorer.sums+products.1.err").write_text(
        "first\nhf_abcdefghijklmnopqrstuvwxyz0123456\nlast\n"
    )
    (kept / "learner.0.err").symlink_to(launch.job_dir / "spec.json")
    plane.launcher.trouble = error
    asked = f"/v1/jobs/{launch.job_id}/logs?role=scorer&teacher=sums%2Bproducts&index=1&tail=2"
    answer = await plane.http.get(asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["text"].endswith("last\n")
    assert "hf_abcdefgh" not in answer.text
    for other in ("role=learner", "role=generator", "role=scorer&teacher=sums%2Bproducts&index=2"):
        missing = await plane.http.get(f"/v1/jobs/{launch.job_id}/logs?{other}")
        assert missing.status_code == (503 if isinstance(error, LauncherUnavailable) else 404)


async def test_a_kept_log_is_shown_as_the_cluster_would_show_it(plane: Plane) -> None:
    """Without Ray's marks and control sequences, however old the run is that kept it."""
    launch = await plane.running()
    kept = launch.job_dir / "attempts" / "1" / "logs"
    kept.mkdir(parents=True)
    (kept / "learner.0.err").write_text(
        "zero\n\x1b[31mone\x1b[0m\n:job_id:02000000\n:actor_name:LearnerActor\ntwo\n:task_name:update\n"
    )
    plane.launcher.trouble = LauncherRefused("its Ray is gone")
    answer = await plane.http.get(f"/v1/jobs/{launch.job_id}/logs?role=learner&tail=2")
    assert answer.json()["text"] == "one\ntwo\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"0123456789\nabc\nde\n", "abc\nde\n"),
        (b"x" * 1000, "x" * 10),
        (b"short\n", "short\n"),
        (b"\xff\xfe\n", "\ufffd\ufffd\n"),
    ],
)
async def test_no_more_than_the_end_of_a_kept_log_is_read(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, text: bytes, shown: str
) -> None:
    """Whole lines, unless one alone is longer than what is read: here ten bytes."""
    for module in (log_end, kept_logs):
        monkeypatch.setattr(module, "MOST_BYTES", 10)
    launch = await plane.running()
    kept = launch.job_dir / "attempts" / "1" / "logs"
    kept.mkdir(parents=True)
    (kept / "learner.0.err").write_bytes(text)
    plane.launcher.trouble = LauncherRefused("its Ray is gone")
    answer = await plane.http.get(f"/v1/jobs/{launch.job_id}/logs?role=learner")
    assert answer.json()["text"] == shown


async def test_what_lies_in_the_place_of_a_kept_log_and_is_no_file_is_not_read(
    plane: Plane,
) -> None:
    launch = await plane.running()
    kept = launch.job_dir / "attempts" / "1" / "logs"
    kept.mkdir(parents=True)
    os.mkfifo(kept / "learner.0.err")
    (kept / "learner.0.out").mkdir()
    plane.launcher.trouble = LauncherRefused("its Ray is gone")
    for stream in ("err", "out"):
        asked = f"/v1/jobs/{launch.job_id}/logs?role=learner&stream={stream}"
        assert (await plane.http.get(asked)).status_code == 404
