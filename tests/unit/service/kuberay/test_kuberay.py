"""What is said to Kubernetes about an attempt, and what its answers become."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rkd_online.errors import ServiceError
from rkd_online.service.launchers.base import (
    LauncherRefused,
    LauncherUnavailable,
    RunState,
    RunStatus,
)
from rkd_online.service.launchers.groups import NodeGroup
from rkd_online.service.launchers.kuberay import KubeRay
from rkd_online.service.launchers.kubernetes import Kubernetes
from rkd_online.service.settings import Settings
from tests.integration.service.fake_ray import fake_ray
from tests.unit.service.kuberay.conftest import token_of
from tests.unit.service.kuberay.fake_kubernetes import FakeKubernetes
from tests.unit.service.kuberay.specs import LAUNCH, job

pytestmark = pytest.mark.asyncio

NAME = "rkd-job-1-2"


async def test_an_attempt_is_one_rayjob_however_often_it_is_started(
    kuberay: KubeRay, cluster: FakeKubernetes
) -> None:
    await kuberay.start(LAUNCH)
    await kuberay.start(LAUNCH)
    assert sorted(cluster.objects) == [("rayjobs", NAME), ("secrets", NAME)]
    assert cluster.rayjob(NAME)["metadata"]["uid"] == "uid-1"
    assert [one for one in cluster.asked if one[0] == "create"] == [
        ("create", "rayjobs.ray.io", NAME),
        ("create", "secrets", NAME),
    ] * 2


async def test_the_token_is_in_a_secret_of_the_rayjob_and_nowhere_else(
    kuberay: KubeRay, cluster: FakeKubernetes
) -> None:
    await kuberay.start(LAUNCH)
    assert LAUNCH.token not in json.dumps(cluster.rayjob(NAME))
    secret = cluster.objects["secrets", NAME]
    assert secret["stringData"] == {"token": LAUNCH.token}
    assert secret["metadata"]["ownerReferences"] == [
        {"apiVersion": "ray.io/v1", "kind": "RayJob", "name": NAME, "uid": "uid-1"}
    ]
    await kuberay.stop("job-1", 2)
    assert cluster.objects == {}


async def test_a_token_that_a_killed_control_plane_never_handed_over_is_handed_over_by_the_next(
    kuberay: KubeRay, cluster: FakeKubernetes
) -> None:
    await kuberay.start(LAUNCH)
    del cluster.objects["secrets", NAME]
    assert (await kuberay.status("job-1", 2)).state is RunState.WAITING
    assert ("secrets", NAME) not in cluster.objects
    settings = kuberay._settings
    again = KubeRay(settings, Kubernetes.found(""), token_of)
    await again.status("job-1", 2)
    await again.status("job-1", 2)
    await again.close()
    assert cluster.objects["secrets", NAME]["stringData"] == {"token": LAUNCH.token}
    assert [one[0] for one in cluster.asked[-3:]] == ["get", "create", "get"]


@pytest.mark.parametrize(
    ("suspend", "status", "expected"),
    [
        (
            True,
            {},
            RunStatus(RunState.WAITING, "waits for Kueue: its RayJob is in the queue gpus"),
        ),
        (False, {}, RunStatus(RunState.PENDING, "its RayJob is new")),
        (
            False,
            {"jobDeploymentStatus": "Initializing"},
            RunStatus(RunState.PENDING, "its RayJob is Initializing"),
        ),
        (
            False,
            {"jobStatus": "RUNNING", "jobDeploymentStatus": "Running", "message": "runs\nlog"},
            RunStatus(RunState.RUNNING, "runs"),
        ),
        # The run is over, and KubeRay waits for its submitter.
        (
            False,
            {"jobStatus": "SUCCEEDED", "jobDeploymentStatus": "Running"},
            RunStatus(RunState.SUCCEEDED, "its RayJob is Running"),
        ),
        (
            False,
            {"jobStatus": "STOPPED", "jobDeploymentStatus": "Complete", "message": "stopped"},
            RunStatus(RunState.STOPPED, "stopped"),
        ),
        (
            False,
            {
                "jobStatus": "RUNNING",
                "jobDeploymentStatus": "Failed",
                "reason": "AppFailed",
                "message": "Submitter completed",
            },
            RunStatus(RunState.FAILED, "AppFailed: Submitter completed"),
        ),
        (
            True,
            {
                "jobDeploymentStatus": "ValidationFailed",
                "reason": "ValidationFailed",
                "message": "bad",
            },
            RunStatus(RunState.FAILED, "ValidationFailed: bad"),
        ),
        # Kueue took its room, and KubeRay is about to take its Ray away.
        (
            True,
            {"jobStatus": "RUNNING", "jobDeploymentStatus": "Running"},
            RunStatus(RunState.WAITING, "waits for Kueue: its RayJob is in the queue gpus"),
        ),
    ],
)
async def test_a_rayjobs_status_becomes_a_runs(
    kuberay: KubeRay,
    cluster: FakeKubernetes,
    suspend: bool,
    status: dict[str, str],
    expected: RunStatus,
) -> None:
    await kuberay.start(LAUNCH)
    cluster.rayjob(NAME)["spec"]["suspend"] = suspend
    cluster.rayjob(NAME)["status"] = status
    assert await kuberay.status("job-1", 2) == expected


async def test_one_that_is_being_deleted_is_still_there_and_one_that_is_gone_is_unknown(
    kuberay: KubeRay, cluster: FakeKubernetes
) -> None:
    await kuberay.start(LAUNCH)
    cluster.run(NAME)
    cluster.rayjob(NAME)["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    assert (await kuberay.status("job-1", 2)).state is RunState.RUNNING
    await kuberay.stop("job-1", 2)
    assert cluster.rayjobs == [NAME]
    cluster.delete("rayjobs", NAME)
    assert (await kuberay.status("job-1", 2)).state is RunState.UNKNOWN
    assert await kuberay.log_tail("job-1", 2, 5) == ""
    with pytest.raises(LauncherRefused, match="the Ray of attempt 2 of job-1 is gone"):
        await kuberay.role_log("job-1", 2, "learner:0", "err", 5)


async def test_a_run_is_stopped_by_its_ray_and_deleted_where_that_takes_too_long(
    kuberay: KubeRay, cluster: FakeKubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kuberay.start(LAUNCH)
    with fake_ray() as ray:
        cluster.run(NAME, dashboard=ray.url.removeprefix("http://"))
        await kuberay.stop("job-1", 2)
        assert (ray.ended, cluster.rayjobs) == ({NAME}, [NAME])
        now = time.monotonic()
        monkeypatch.setattr("rkd_online.service.launchers.kuberay.time.monotonic", lambda: now + 31)
        await kuberay.stop("job-1", 2)
        assert cluster.rayjobs == []


async def test_a_run_whose_ray_cannot_be_reached_is_deleted_at_once(
    kuberay: KubeRay, cluster: FakeKubernetes
) -> None:
    await kuberay.start(LAUNCH)
    cluster.run(NAME, dashboard="127.0.0.1:9")
    await kuberay.stop("job-1", 2)
    assert cluster.rayjobs == []


async def test_one_that_is_over_keeps_its_rayjob_for_its_logs(
    kuberay: KubeRay, cluster: FakeKubernetes
) -> None:
    await kuberay.start(LAUNCH)
    cluster.run(NAME)
    cluster.end(NAME, "FAILED", "Failed")
    await kuberay.stop("job-1", 2)
    assert cluster.rayjobs == [NAME]


HEAD = {"ray.io/cluster": f"{NAME}-x7k2p", "ray.io/node-type": "head"}


@pytest.mark.parametrize(
    ("labels", "logs", "expected"),
    [
        ({"job-name": NAME}, {"submitter": "one\ntwo\nthree\n"}, "two\nthree"),
        (HEAD, {"ray-head": "ray\n", "ray-job-submitter": "one\ntwo\nthree\n"}, "two\nthree"),
        (HEAD, {"ray-head": "Killed\n"}, "Killed"),
        ({"ray.io/cluster": "another", "ray.io/node-type": "head"}, {"ray-head": "no\n"}, ""),
    ],
)
async def test_where_ray_is_gone_the_drivers_log_comes_from_pods(
    kuberay: KubeRay,
    cluster: FakeKubernetes,
    labels: dict[str, str],
    logs: dict[str, str],
    expected: str,
) -> None:
    await kuberay.start(LAUNCH)
    cluster.run(NAME, dashboard="127.0.0.1:9")
    cluster.add_pod("pod-1", labels, logs)
    assert await kuberay.log_tail("job-1", 2, 2) == expected


async def test_a_worker_of_a_ray_that_has_not_begun_has_no_log(
    kuberay: KubeRay, cluster: FakeKubernetes
) -> None:
    await kuberay.start(LAUNCH)
    with pytest.raises(LauncherRefused, match="has no Ray: waits for Kueue"):
        await kuberay.role_log("job-1", 2, "learner:0", "err", 5)


async def test_a_ray_that_does_not_answer_is_named_by_its_rayjob(
    kuberay: KubeRay, cluster: FakeKubernetes
) -> None:
    await kuberay.start(LAUNCH)
    cluster.run(NAME, dashboard="127.0.0.1:9")
    with pytest.raises(LauncherUnavailable) as refused:
        await kuberay.role_log("job-1", 2, "learner:0", "err", 5)
    assert str(refused.value).startswith("Ray is not reachable at http://127.0.0.1:9 (ConnectError")
    assert str(refused.value).endswith(
        "): it is the Ray of the RayJob rkd-job-1-2, whose status has this address; see whether "
        "its head runs, and whether a NetworkPolicy keeps the control plane from that port"
    )


@pytest.mark.parametrize(
    ("asked", "answer", "message"),
    [
        (
            ("create", "rayjobs.ray.io"),
            (403, 'rayjobs.ray.io is forbidden: User "rkd" cannot create resource "rayjobs"'),
            r"in the namespace research: rayjobs\.ray\.io is forbidden.*; have its Role allow "
            r"create on rayjobs\.ray\.io",
        ),
        (
            ("create", "secrets"),
            (403, "secrets is forbidden"),
            "have its Role allow create on secrets",
        ),
        (
            ("create", "rayjobs.ray.io"),
            (404, "the server could not find the requested resource"),
            "requested resource; install KubeRay, whose kind this is",
        ),
        (
            ("create", "rayjobs.ray.io"),
            (422, "spec.rayClusterSpec.headGroupSpec: Required value"),
            "headGroupSpec: Required value; change RKD_RAYJOB_TEMPLATE in the field",
        ),
    ],
)
async def test_what_kubernetes_refuses_is_said_in_its_words_and_with_what_to_change(
    kuberay: KubeRay,
    cluster: FakeKubernetes,
    asked: tuple[str, str],
    answer: tuple[int, str],
    message: str,
) -> None:
    cluster.refusals[asked] = answer
    with pytest.raises(LauncherRefused, match=message):
        await kuberay.start(LAUNCH)


@pytest.mark.parametrize("code", [429, 500, 503])
async def test_a_kubernetes_in_trouble_may_do_better_later(
    kuberay: KubeRay, cluster: FakeKubernetes, code: int
) -> None:
    cluster.refusals["get", "rayjobs.ray.io"] = (code, "etcd is away")
    with pytest.raises(LauncherUnavailable, match=f"answered {code} to get .*: etcd is away"):
        await kuberay.status("job-1", 2)


async def test_an_unreachable_kubernetes_is_named_with_its_address(
    kuberay: KubeRay, cluster: FakeKubernetes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(file.read_text().replace(cluster.url, "http://127.0.0.1:9"))
    launcher = KubeRay(kuberay._settings, Kubernetes.found(""), token_of)
    with pytest.raises(LauncherUnavailable, match=r"not reachable at http://127\.0\.0\.1:9 \("):
        await launcher.status("job-1", 2)
    await launcher.close()


async def test_a_token_of_the_account_that_was_renewed_is_read_again(
    kuberay: KubeRay, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    await kuberay.start(LAUNCH)
    cluster.token = "second"
    (tmp_path / "token").write_text("second")
    assert (await kuberay.status("job-1", 2)).state is RunState.WAITING
    cluster.token = "third"
    with pytest.raises(LauncherRefused, match=r"401 .*Unauthorized; give the control"):
        await kuberay.status("job-1", 2)


async def test_a_job_that_no_pod_can_hold_is_refused_with_the_arithmetic(kuberay: KubeRay) -> None:
    large = replace(LAUNCH, spec=job(generator={"cpus": 5, "gpus": 1}))
    problem = (
        "a generator needs 5 CPU, and a pod of the group generator has 4: lower "
        "resources.generator.cpus, or raise what that group is limited to in RKD_RAYJOB_TEMPLATE"
    )
    assert kuberay.unfit(large.spec) == problem
    with pytest.raises(LauncherRefused, match="a generator needs 5 CPU"):
        await kuberay.start(large)
    assert kuberay.unfit(LAUNCH.spec) is None


async def test_room_is_kueues_or_what_the_cluster_may_grow_to(
    kuberay: KubeRay, kube_settings: Settings, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    assert (await kuberay.room()).endless
    text = kube_settings.rayjob_template.read_text()  # type: ignore[union-attr]
    plain = tmp_path / "plain.yaml"
    plain.write_text(text.replace("suspend: true", "suspend: false"))
    without = kube_settings.model_copy(update={"kueue_queue": "", "rayjob_template": plain})
    free = KubeRay(without, Kubernetes.found(""), token_of)
    assert (await free.room()).endless
    await free.start(LAUNCH)
    assert cluster.rayjob(NAME)["spec"]["suspend"] is False
    assert "kueue.x-k8s.io/queue-name" not in cluster.rayjob(NAME)["metadata"]["labels"]
    await free.close()
    group = NodeGroup(nodes=2, cpus=32, gpus=4)
    grows = without.model_copy(update={"cluster_groups": (group,)})
    bounded = KubeRay(grows, Kubernetes.found(""), token_of)
    assert (await bounded.room()).totals == [{"CPU": 32.0, "GPU": 4.0}] * 2
    await bounded.close()


async def test_its_dashboard_is_that_of_its_own_ray(
    kuberay: KubeRay, kube_settings: Settings, cluster: FakeKubernetes
) -> None:
    assert kuberay.dashboard("job-1", 2) == ""
    await kuberay.start(LAUNCH)
    cluster.run(NAME, dashboard="head-svc.research.svc:8265")
    await kuberay.status("job-1", 2)
    assert kuberay.dashboard("job-1", 2) == f"http://head-svc.research.svc:8265/#/jobs/{NAME}"
    outside = kube_settings.model_copy(
        update={"ray_dashboard_url": "https://ray.example/{namespace}/{rayjob}/"}
    )
    launcher = KubeRay(outside, Kubernetes.found(""), token_of)
    assert launcher.dashboard("job-1", 2) == f"https://ray.example/research/{NAME}/#/jobs/{NAME}"
    await launcher.close()


async def test_what_is_remembered_is_of_rayjobs_that_exist(
    kuberay: KubeRay, cluster: FakeKubernetes
) -> None:
    """KubeRay deletes a RayJob some time after its run has ended, when nobody asks any more."""
    for attempt in range(1, 51):
        await kuberay.start(replace(LAUNCH, attempt=attempt))
        name = f"rkd-job-1-{attempt}"
        cluster.run(name, dashboard=f"head-{attempt}:8265")
        await kuberay.status("job-1", attempt)
        cluster.end(name, "SUCCEEDED")
        await kuberay.status("job-1", attempt)
        if attempt != 7:
            cluster.delete("rayjobs", name)
    kept = {"rkd-job-1-7", "rkd-job-1-50"}
    assert (set(kuberay._seen), kuberay._handed_over) == (kept, set())
    assert kuberay.dashboard("job-1", 7) == "http://head-7:8265/#/jobs/rkd-job-1-7"
    assert kuberay.dashboard("job-1", 49) == ""
    assert (await kuberay.status("job-1", 50)).state is RunState.UNKNOWN
    assert set(kuberay._seen) == {"rkd-job-1-7"}


async def test_a_rayjob_is_made_also_where_others_cannot_be_asked_for(
    kuberay: KubeRay, cluster: FakeKubernetes, caplog: pytest.LogCaptureFixture
) -> None:
    await kuberay.start(LAUNCH)
    cluster.refusals["get", "rayjobs.ray.io"] = (403, "rayjobs.ray.io is forbidden")
    await kuberay.start(replace(LAUNCH, attempt=3))
    assert cluster.rayjobs == [NAME, "rkd-job-1-3"]
    assert kuberay._handed_over == {NAME, "rkd-job-1-3"}
    assert "answered 403 to get rayjobs.ray.io rkd-job-1-2 in the namespace research" in caplog.text


async def test_without_credentials_nothing_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(ServiceError, match=r"finds no credentials .*set KUBECONFIG"):
        Kubernetes.found("")


async def test_its_rights_are_few(kuberay: KubeRay, cluster: FakeKubernetes) -> None:
    """What the chart's Role has to allow."""
    await kuberay.start(LAUNCH)
    await kuberay.status("job-1", 2)
    cluster.run(NAME, dashboard="127.0.0.1:9")
    cluster.add_pod("pod-1", HEAD, {"ray-head": "Killed\n"})
    await kuberay.log_tail("job-1", 2, 5)
    await kuberay.stop("job-1", 2)
    assert {(verb, resource) for verb, resource, _ in cluster.asked} == {
        ("create", "rayjobs.ray.io"),
        ("get", "rayjobs.ray.io"),
        ("delete", "rayjobs.ray.io"),
        ("create", "secrets"),
        ("list", "pods"),
        ("get", "pods/log"),
    }
