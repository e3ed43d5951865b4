"""What a run may report, and what it does to its job."""

import hashlib
from typing import Any

import pytest
from sqlalchemy import select

from rkd_online.service.launchers.base import RunState
from rkd_online.service.store.tables import AttemptRow
from tests.unit.service.plane import Plane

pytestmark = pytest.mark.asyncio

STEP = {"step": 1, "version": 1, "staleness": 0, "timings": {"update": 0.5}, "metrics": {"r": 0.25}}
CHECKPOINT = {"step": 2, "path": "attempts/1/checkpoints/step-000002", "digest": "abc"}


def numbered(number: int, event_type: str, /, **data: Any) -> dict[str, Any]:
    return {"number": number, "type": event_type, "data": data}


async def test_started_makes_the_job_running(plane: Plane) -> None:
    launch = await plane.running()
    job = await plane.job(launch.job_id)
    assert (job["status"], job["started_at"]) == ("running", "2026-03-01T12:00:00Z")
    assert job["links"]["ray_dashboard"] == f"http://ray/#/jobs/{launch.job_id}-1"


async def test_a_step_becomes_the_jobs_progress(plane: Plane) -> None:
    launch = await plane.running()
    answer = await plane.send(launch, numbered(2, "step", **STEP))
    assert answer.json() == {"accepted": 1, "status": "running", "changes": None}
    progress = (await plane.job(launch.job_id))["progress"]
    assert progress == {"steps": 4, "at": "2026-03-01T12:00:00Z", "report": STEP}


async def test_finished_makes_the_job_succeed(plane: Plane) -> None:
    launch = await plane.running()
    answer = await plane.send(launch, numbered(2, "finished"))
    job = await plane.job(launch.job_id)
    assert answer.json()["status"] == job["status"] == "succeeded"
    assert job["finished_at"] == "2026-03-01T12:00:00Z"


async def test_failed_is_final_and_its_message_is_the_jobs_error(plane: Plane) -> None:
    launch = await plane.running()
    await plane.send(launch, numbered(2, "failed", message="the loss of step 3 is not finite"))
    job = await plane.job(launch.job_id)
    assert (job["status"], job["error"]) == ("failed", "the loss of step 3 is not finite")
    plane.clock.pass_by(1000)
    await plane.reconcile()
    await plane.reconcile()
    assert len(plane.launcher.launches) == 1


async def test_the_error_of_a_job_names_the_newest_checkpoint_that_there_is_to_go_on_from(
    plane: Plane,
) -> None:
    launch = await plane.running()
    start = "attempts/1/checkpoints/step-000000"
    path = "attempts/1/checkpoints/step-000002"
    failed = numbered(4, "failed", message="the disk is full")
    await plane.send(launch, numbered(2, "checkpoint", step=0, path=start))
    await plane.send(launch, numbered(3, "checkpoint", **CHECKPOINT), failed)
    assert (await plane.job(launch.job_id))["error"] == "the disk is full"
    (launch.job_dir / path).mkdir(parents=True)
    assert (await plane.job(launch.job_id))["error"].splitlines() == [
        "the disk is full",
        f"The newest checkpoint is {launch.job_dir / path}: submit a job with policy.model set to "
        "it to go on from its weights",
    ]


async def test_the_weights_a_job_began_with_are_no_checkpoint_to_go_on_from(plane: Plane) -> None:
    launch = await plane.running()
    start = "attempts/1/checkpoints/step-000000"
    (launch.job_dir / start).mkdir(parents=True)
    await plane.send(launch, numbered(2, "checkpoint", step=0, path=start))
    await plane.send(launch, numbered(3, "failed", message="the loss is not finite"))
    assert (await plane.job(launch.job_id))["error"] == "the loss is not finite"


async def test_an_attempt_that_began_further_back_sets_the_checkpoint_back(plane: Plane) -> None:
    launch = await plane.running()
    await plane.send(launch, numbered(2, "checkpoint", **CHECKPOINT))
    plane.launcher.end(launch.job_id, 1, RunState.FAILED)
    await plane.reconcile()
    path = "attempts/2/checkpoints/step-000001"
    await plane.send(plane.launcher.launches[-1], numbered(1, "checkpoint", step=1, path=path))
    plane.launcher.end(launch.job_id, 2, RunState.FAILED)
    await plane.reconcile()
    assert plane.launcher.launches[-1].resume_from == launch.job_dir / path


async def test_a_run_can_fail_before_it_has_started(plane: Plane) -> None:
    await plane.submit()
    await plane.reconcile()
    [launch] = plane.launcher.launches
    await plane.send(launch, numbered(1, "failed", message="the vocabularies differ"))
    assert (await plane.job(launch.job_id))["status"] == "failed"


async def test_a_checkpoint_counts_with_its_whole_manifest(plane: Plane) -> None:
    launch = await plane.running()
    await plane.send(launch, numbered(2, "checkpoint", **CHECKPOINT))
    assert (await plane.job(launch.job_id))["checkpoint"] == {**CHECKPOINT, "attempt": 1}


@pytest.mark.parametrize(
    "path",
    [
        "/etc/attempts/1/checkpoints/x",
        "attempts/1/checkpoints/../../../x",
        "attempts/1/rollouts/x",
        "attempts/2/checkpoints/step-000002",
    ],
)
async def test_a_checkpoint_outside_of_its_attempts_folder_is_refused(
    plane: Plane, path: str
) -> None:
    launch = await plane.running()
    answer = await plane.send(launch, numbered(2, "checkpoint", step=2, path=path))
    assert answer.status_code == 422
    assert path in answer.json()["detail"]
    assert (await plane.job(launch.job_id))["checkpoint"] is None


async def test_events_of_the_run_and_of_the_plane_share_one_gapless_count(plane: Plane) -> None:
    launch = await plane.running()
    await plane.send(launch, numbered(2, "log", message="hello"), numbered(3, "evaluation", p=0.5))
    await plane.send(launch, numbered(4, "finished"))
    found = await plane.events(launch.job_id)
    assert [(event["number"], event["type"], event["attempt"]) for event in found] == [
        (1, "status", 0),
        (2, "status", 1),
        (3, "started", 1),
        (4, "status", 1),
        (5, "log", 1),
        (6, "evaluation", 1),
        (7, "finished", 1),
        (8, "status", 1),
    ]
    assert [event["data"].get("status") for event in found if event["type"] == "status"] == [
        "queued",
        "starting",
        "running",
        "succeeded",
    ]


async def test_warnings_and_an_early_stop_are_kept_and_the_job_goes_on(plane: Plane) -> None:
    launch = await plane.running()
    warning = {"step": 2, "name": "truncated", "message": "half of it is cut"}
    stop = {"step": 3, "reason": "reward/mean got no better in 2 values"}
    answer = await plane.send(
        launch, numbered(2, "warning", **warning), numbered(3, "early_stop", **stop)
    )
    assert answer.json() == {"accepted": 2, "status": "running", "changes": None}
    found = (await plane.events(launch.job_id))[-2:]
    assert [(one["type"], one["data"]) for one in found] == [
        ("warning", warning), ("early_stop", stop),
    ]  # fmt: skip


async def test_a_number_is_stored_once_however_often_it_is_sent(plane: Plane) -> None:
    launch = await plane.running()
    two, three = numbered(2, "log", message="2"), numbered(3, "log", message="3")
    assert (await plane.send(launch, two)).json()["accepted"] == 1
    assert (await plane.send(launch, two, three, three)).json()["accepted"] == 1
    assert (await plane.send(launch, three, two)).json()["accepted"] == 0
    logs = [event["data"]["message"] for event in await plane.events(launch.job_id, after=4)]
    assert logs == ["2", "3"]


async def test_the_last_batch_may_be_sent_again_but_nothing_new_after_it(plane: Plane) -> None:
    launch = await plane.running()
    last = [numbered(2, "finished"), numbered(3, "log", message="bye")]
    assert (await plane.send(launch, *last)).json() == {
        "accepted": 2,
        "status": "succeeded",
        "changes": None,
    }
    assert (await plane.send(launch, *last)).json() == {
        "accepted": 0,
        "status": "succeeded",
        "changes": None,
    }
    for late in ([numbered(4, "log", message="late")], []):
        answer = await plane.send(launch, *late)
        assert (answer.status_code, answer.json()["code"]) == (409, "attempt_ended")


async def test_an_older_attempt_is_refused(plane: Plane) -> None:
    first = await plane.running()
    plane.clock.pass_by(10_000)
    plane.launcher.runs.clear()
    await plane.reconcile()
    second = plane.launcher.launches[-1]
    assert second.attempt == 2
    answer = await plane.send(first, numbered(2, "checkpoint", **CHECKPOINT))
    assert (answer.status_code, answer.json()["code"]) == (409, "stale_attempt")
    assert (await plane.send(second, numbered(1, "started"))).status_code == 200
    assert (await plane.job(first.job_id))["checkpoint"] is None


async def test_no_token_a_wrong_one_and_one_of_another_attempt_are_401(plane: Plane) -> None:
    launch = await plane.running()
    await plane.send(launch, numbered(2, "finished"))
    plane.launcher.runs.clear()
    await plane.reconcile()
    other = await plane.running()
    path = f"/v1/internal/jobs/{launch.job_id}/attempts/1/events"
    for headers in (
        {},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": f"Bearer {other.token}"},
    ):
        answer = await plane.http.post(path, json=[], headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "wrong_token")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    missing = await plane.http.post(path.replace("attempts/1", "attempts/7"), json=[])
    assert missing.status_code == 401


async def test_only_the_tokens_digest_is_stored(plane: Plane) -> None:
    launch = await plane.running()
    async with plane.services.database.read() as session:
        attempt = await session.scalar(select(AttemptRow))
    assert attempt is not None
    assert attempt.token_sha256 == hashlib.sha256(launch.token.encode()).hexdigest()


async def test_an_empty_batch_is_a_heartbeat_and_no_event(plane: Plane) -> None:
    launch = await plane.running()
    before = await plane.events(launch.job_id)
    for _ in range(5):
        plane.clock.pass_by(100)
        assert (await plane.send(launch)).json() == {
            "accepted": 0,
            "status": "running",
            "changes": None,
        }
        await plane.reconcile()
    assert await plane.events(launch.job_id) == before


async def test_an_event_that_says_too_little_is_refused_with_its_place(plane: Plane) -> None:
    launch = await plane.running()
    answer = await plane.send(launch, {"number": 2, "type": "step", "data": {"step": 1}})
    fields = [error["field"] for error in answer.json()["errors"]]
    assert answer.status_code == 422
    assert fields == [
        "0.step.data.version",
        "0.step.data.staleness",
        "0.step.data.timings",
    ]


async def test_a_run_that_finishes_while_it_is_stopped_has_succeeded(plane: Plane) -> None:
    launch = await plane.running()
    await plane.cancel(launch.job_id)
    answer = await plane.send(launch, numbered(2, "finished"))
    assert answer.json()["status"] == "succeeded"


async def test_a_run_that_fails_while_it_is_stopped_is_still_cancelled(plane: Plane) -> None:
    launch = await plane.running()
    await plane.cancel(launch.job_id)
    answer = await plane.send(launch, numbered(2, "failed", message="an actor was killed"))
    assert answer.json() == {"accepted": 1, "status": "stopping", "changes": None}


async def test_changes_are_kept_as_they_are_sent(plane: Plane) -> None:
    launch = await plane.running()
    changed = {"step": 4, "number": 2, "values": {"learning_rate": 1e-5, "evaluation_every": 0}}
    assert (await plane.send(launch, numbered(2, "changed", **changed))).json()["accepted"] == 1
    kept = {one["type"]: one["data"] for one in await plane.events(launch.job_id)}
    assert kept["changed"] == changed


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("changed", {"step": 4, "number": 1, "values": {}}),
        ("changed", {"step": 4, "number": 1, "values": {"seed": 3}}),
        ("changed", {"step": 0, "number": 1, "values": {"steps": 3}}),
        ("paused", {}),
        ("paused", {"step": -1}),
    ],
)
async def test_a_change_of_nothing_and_a_pause_nowhere_are_refused(
    plane: Plane, event_type: str, data: dict[str, Any]
) -> None:
    launch = await plane.running()
    answer = await plane.send(launch, numbered(2, event_type, **data))
    assert answer.status_code == 422


async def test_a_log_with_a_nul_is_kept_without_it(plane: Plane) -> None:
    """PostgreSQL has no place for that character."""
    launch = await plane.running()
    told = {"number": 2, "type": "log", "data": {"message": "half\x00way"}}
    assert (await plane.send(launch, told)).status_code == 200
    assert (await plane.events(launch.job_id))[-1]["data"] == {
        "message": "half\N{REPLACEMENT CHARACTER}way"
    }
