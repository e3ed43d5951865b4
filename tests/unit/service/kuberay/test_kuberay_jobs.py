"""Jobs whose attempts are RayJobs, from submission to end, by the reconciler itself."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from rkd_online.service.settings import Settings
from tests.unit.service.kuberay.conftest import KUBE
from tests.unit.service.kuberay.fake_kubernetes import FakeKubernetes
from tests.unit.service.kuberay.specs import GPUS
from tests.unit.service.plane import SPEC, Clock, Plane, open_plane

pytestmark = pytest.mark.asyncio

QUEUED = "waits for Kueue: its RayJob is in the queue gpus"
DAY = 86_400.0


def name(job_id: str, attempt: int) -> str:
    return f"rkd-{job_id}-{attempt}"


async def submitted(plane: Plane, **changes: Any) -> str:
    job_id = await plane.submit(resources=GPUS, **changes)
    await plane.reconcile()
    return job_id


async def report(
    plane: Plane, cluster: FakeKubernetes, job_id: str, attempt: int, *events: dict[str, Any]
) -> httpx.Response:
    """As the driver does, with the token of its Secret."""
    token = cluster.objects["secrets", name(job_id, attempt)]["stringData"]["token"]
    return await plane.http.post(
        f"/v1/internal/jobs/{job_id}/attempts/{attempt}/events",
        json=list(events),
        headers={"Authorization": f"Bearer {token}"},
    )


async def running(plane: Plane, cluster: FakeKubernetes, **changes: Any) -> str:
    """A job whose first attempt has reported a checkpoint of step 2."""
    job_id = await submitted(plane, **changes)
    cluster.run(name(job_id, 1))
    told = {"step": 2, "path": "attempts/1/checkpoints/step-000002"}
    answer = await report(
        plane,
        cluster,
        job_id,
        1,
        {"number": 1, "type": "started"},
        {"number": 2, "type": "checkpoint", "data": told},
    )
    assert answer.status_code == 200, answer.text
    return job_id


async def waits(plane: Plane, job_id: str) -> list[str]:
    return [
        event["data"]["reason"]
        for event in await plane.events(job_id)
        if event["type"] == "waiting"
    ]


async def test_a_job_may_wait_in_kueue_for_days_and_says_so(
    kube_plane: Plane, cluster: FakeKubernetes
) -> None:
    plane = kube_plane
    job_id = await submitted(plane, budget={"wall_seconds": 1000})
    for _ in range(8):
        await plane.reconcile()
        plane.clock.pass_by(DAY / 4)
    job = await plane.job(job_id)
    assert (job["status"], job["waiting"], job["attempt"]) == ("starting", QUEUED, 1)
    assert job["losses"] == 0
    assert await waits(plane, job_id) == [QUEUED]
    await plane.reconcile()
    cluster.run(name(job_id, 1))
    await plane.reconcile()
    assert await waits(plane, job_id) == [QUEUED, "waits for its Ray to start"]
    plane.clock.pass_by(290)
    await plane.reconcile()
    await report(plane, cluster, job_id, 1, {"number": 1, "type": "started"})
    job = await plane.job(job_id)
    assert (job["status"], job["waiting"], job["attempt"]) == ("running", None, 1)
    await report(plane, cluster, job_id, 1, {"number": 2, "type": "finished"})
    assert (await plane.job(job_id))["spent"]["wall_seconds"] == 290


async def test_one_that_was_admitted_and_never_reports_is_lost_as_any_other(
    kube_plane: Plane, cluster: FakeKubernetes
) -> None:
    plane = kube_plane
    job_id = await submitted(plane)
    plane.clock.pass_by(DAY)
    await plane.reconcile()
    cluster.run(name(job_id, 1))
    await plane.reconcile()
    for _ in range(13):  # a longer step would be one in which nobody listened
        plane.clock.pass_by(25)
        await plane.reconcile()
    [lost] = [e["data"] for e in await plane.events(job_id) if e["type"] == "attempt_lost"]
    assert lost["cause"] == "no report for 325 s (start_timeout_seconds is 300)"
    assert cluster.rayjobs == []


async def test_a_preempted_job_goes_on_from_its_last_checkpoint_and_has_lost_nothing(
    kube_plane: Plane, cluster: FakeKubernetes
) -> None:
    plane = kube_plane
    job_id = await running(plane, cluster)
    for attempt in (1, 2, 3, 4):
        cluster.preempt(name(job_id, attempt))
        await plane.reconcile()
        await plane.reconcile()
        assert cluster.rayjobs == [name(job_id, attempt + 1)]
        variables = yaml.safe_load(
            cluster.rayjob(name(job_id, attempt + 1))["spec"]["runtimeEnvYAML"]
        )
        resumed = variables["env_vars"]["RKD_RESUME_FROM"]
        assert resumed.endswith(f"/runs/{job_id}/attempts/1/checkpoints/step-000002")
        late = await report_of(plane, job_id, attempt)
        assert (late.status_code, late.json()["code"]) == (409, "stale_attempt")
        cluster.run(name(job_id, attempt + 1))
        await report(plane, cluster, job_id, attempt + 1, {"number": 1, "type": "started"})
    job = await plane.job(job_id)
    assert (job["status"], job["attempt"], job["losses"]) == ("running", 5, 0)
    told = await plane.events(job_id)
    preempted = [(e["attempt"], e["data"]) for e in told if e["type"] == "attempt_preempted"]
    assert preempted == [(number, {"cause": QUEUED}) for number in (1, 2, 3, 4)]
    reasons = [e["data"].get("reason") for e in told if e["type"] == "status"]
    assert f"attempt 1 was preempted: {QUEUED}" in reasons
    scraped = (await plane.http.get("/metrics")).text
    assert 'rkd_attempts_total{outcome="preempted"} 4.0' in scraped


async def report_of(plane: Plane, job_id: str, attempt: int) -> httpx.Response:
    """As a driver that was cut off and comes back."""
    token = plane.services.digests.token(job_id, attempt)
    return await plane.http.post(
        f"/v1/internal/jobs/{job_id}/attempts/{attempt}/events",
        json=[{"number": 9, "type": "log", "data": {"message": "here again"}}],
        headers={"Authorization": f"Bearer {token}"},
    )


async def test_one_that_was_preempted_before_it_reported_waits_again_as_the_same_attempt(
    kube_plane: Plane, cluster: FakeKubernetes
) -> None:
    plane = kube_plane
    job_id = await submitted(plane)
    cluster.run(name(job_id, 1))
    await plane.reconcile()
    cluster.preempt(name(job_id, 1))
    plane.clock.pass_by(DAY)
    await plane.reconcile()
    job = await plane.job(job_id)
    assert (job["status"], job["attempt"], job["waiting"]) == ("starting", 1, QUEUED)
    assert cluster.rayjobs == [name(job_id, 1)]


async def test_a_restarted_control_plane_adopts_what_it_finds(
    kube_plane: Plane, settings: Settings, cluster: FakeKubernetes, clock: Clock
) -> None:
    job_id = await running(kube_plane, cluster)
    clock.pass_by(3600)
    async with open_plane(settings.model_copy(update=KUBE), clock, own=True) as again:
        await again.reconcile()
        assert (await again.job(job_id))["status"] == "running"
        assert cluster.rayjobs == [name(job_id, 1)]
        await report(again, cluster, job_id, 1, {"number": 3, "type": "finished"})
        cluster.end(name(job_id, 1), "SUCCEEDED")
        await again.reconcile()
        assert (await again.job(job_id))["status"] == "succeeded"


async def test_a_run_that_fails_is_lost_with_kuberays_words_and_started_again(
    kube_plane: Plane, cluster: FakeKubernetes
) -> None:
    job_id = await running(kube_plane, cluster)
    cluster.end(name(job_id, 1), "FAILED", "Failed", "Job entrypoint failed with code 137\nlog")
    cluster.add_pod("submitter", {"job-name": name(job_id, 1)}, {"submitter": "a\nKilled\n"})
    await kube_plane.reconcile()
    [lost] = [e["data"] for e in await kube_plane.events(job_id) if e["type"] == "attempt_lost"]
    assert lost["cause"] == "its run is failed: Job entrypoint failed with code 137"
    assert lost["log"] == "a\nKilled"
    assert cluster.rayjobs == [name(job_id, 1), name(job_id, 2)]


@pytest.mark.parametrize(("action", "status"), [("cancel", "cancelled"), ("pause", "paused")])
async def test_what_waits_in_kueue_is_cancelled_and_paused_without_delay(
    kube_plane: Plane, cluster: FakeKubernetes, action: str, status: str
) -> None:
    job_id = await submitted(kube_plane)
    await kube_plane.http.post(f"/v1/jobs/{job_id}/{action}")
    await kube_plane.reconcile()
    await kube_plane.reconcile()
    assert cluster.objects == {}
    assert (await kube_plane.job(job_id))["status"] == status


async def test_a_job_that_no_pod_can_hold_is_refused_when_it_is_submitted_or_validated(
    kube_plane: Plane, cluster: FakeKubernetes
) -> None:
    spec = SPEC | {"resources": GPUS | {"scorer": {"cpus": 7}}}
    problem = "a scorer needs 7 CPU, and a pod of the group scorer has 6: lower"
    refused = await kube_plane.http.post("/v1/jobs", json=spec)
    assert (refused.status_code, refused.json()["code"]) == (422, "does_not_fit")
    assert refused.json()["detail"].startswith(problem)
    verdict = (await kube_plane.http.post("/v1/jobs:validate", json=spec)).json()["verdict"]
    assert (verdict["fits"], verdict["detail"].startswith(problem)) == (False, True)
    good = (await kube_plane.http.post("/v1/jobs:validate", json=SPEC | {"resources": GPUS})).json()
    assert good["verdict"] == {
        "fits": True,
        "detail": "needs 16 CPU and 6 GPU; the cluster's own queue says when",
    }


async def test_weights_as_files_and_roles_on_nodes_of_their_own_cannot_be(
    kube_plane: Plane,
) -> None:
    refused = await kube_plane.http.post("/v1/jobs", json=SPEC)
    assert refused.status_code == 422
    assert refused.json()["detail"] == (
        "the weights of a job on cpu travel as files, so that all its actors have to be on one "
        "node, and RKD_ROLE_LABEL, rkd.io/role, sends each role to nodes of its own: set "
        "resources.device to cuda, or have RKD_ROLE_LABEL unset"
    )


async def test_a_role_that_lacks_a_right_fails_the_job_and_names_the_right(
    kube_plane: Plane, cluster: FakeKubernetes
) -> None:
    cluster.refusals["create", "rayjobs.ray.io"] = (403, "rayjobs.ray.io is forbidden")
    job_id = await submitted(kube_plane)
    job = await kube_plane.job(job_id)
    assert job["status"] == "failed"
    assert job["error"].endswith(
        "have its Role allow create on rayjobs.ray.io, or see the quota that is named"
    )


async def test_a_kubernetes_that_is_away_delays_the_launch(
    kube_plane: Plane, cluster: FakeKubernetes
) -> None:
    cluster.refusals["get", "rayjobs.ray.io"] = (503, "etcd is away")
    job_id = await submitted(kube_plane)
    assert (await kube_plane.job(job_id))["status"] == "starting"
    cluster.refusals.clear()
    await kube_plane.reconcile()
    assert cluster.rayjobs == [name(job_id, 1)]


async def test_no_token_is_in_what_users_and_kubernetes_read(
    kube_plane: Plane, cluster: FakeKubernetes, settings: Settings
) -> None:
    job_id = await running(kube_plane, cluster)
    token = kube_plane.services.digests.token(job_id, 1)
    shown = [await kube_plane.job(job_id), await kube_plane.events(job_id)]
    assert token not in json.dumps([shown, cluster.rayjob(name(job_id, 1))])
    folder: Path = settings.job_dir(job_id)
    assert [file for file in folder.rglob("*") if token in file.read_text()] == []
