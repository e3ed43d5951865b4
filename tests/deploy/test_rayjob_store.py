"""With an object store a RayJob's pods have all that they need to reach it, and no volume together:
from the chart's values through the launcher to the manifest that is sent to Kubernetes."""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from rkd_online.inference.environment import engine_environment
from rkd_online.objects.job import scratch_folder
from rkd_online.service.launchers.rayjob_manifest import rayjob_of
from rkd_online.service.launchers.rayjob_template import read_template
from rkd_online.service.settings import Settings
from tests.deploy.charts import Helm, Object, embedded, merged, of_kind
from tests.deploy.scenarios import RAYJOB
from tests.unit.service.kuberay.specs import LAUNCH

STORE = {
    "bucket": "team-runs", "prefix": "rkd", "endpoint": "https://s3.local:9000",
    "region": "eu-north-1", "secretName": "rkd-s3",
}  # fmt: skip
SMALL = {"storage": {"type": "s3", "s3": STORE, "models": {"existingClaim": ""}}}
REACHED: Mapping[str, Any] = {
    "RKD_OBJECT_STORE": "s3://team-runs/rkd",
    "AWS_ENDPOINT_URL": "https://s3.local:9000",
    "AWS_DEFAULT_REGION": "eu-north-1",
    "AWS_ACCESS_KEY_ID": {"name": "rkd-s3", "key": "AWS_ACCESS_KEY_ID"},
    "AWS_SECRET_ACCESS_KEY": {"name": "rkd-s3", "key": "AWS_SECRET_ACCESS_KEY"},
}
"""Values, and the Secrets that hold them."""


@pytest.fixture(scope="module")
def objects(helm: Helm) -> list[Object]:
    return helm.template(merged(RAYJOB, SMALL)).objects


@pytest.fixture
def manifest(
    objects: list[Object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """As the chart's control plane makes it, with the environment that it is given there."""
    file = tmp_path / "rayjob.yaml"
    file.write_text(yaml.safe_dump(embedded(objects)[0]))
    for name, value in control(objects).items():
        if isinstance(value, str):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("RKD_RAYJOB_TEMPLATE", str(file))
    settings = Settings()
    launch = replace(LAUNCH, job_dir=scratch_folder(LAUNCH.job_id))
    return rayjob_of(launch, read_template(settings), settings)


def control(objects: list[Object]) -> dict[str, Any]:
    """The environment of the control plane."""
    [deployment] = of_kind(objects, "Deployment")
    return environment(deployment["spec"]["template"]["spec"]["containers"][0])


def environment(container: Mapping[str, Any]) -> dict[str, Any]:
    return {
        one["name"]: one["value"] if "value" in one else one["valueFrom"]["secretKeyRef"]
        for one in container["env"]
    }


def ray_pods(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    cluster = manifest["spec"]["rayClusterSpec"]
    groups = {one["groupName"]: one for one in cluster["workerGroupSpecs"]}
    return {
        name: one["template"]["spec"]
        for name, one in ({"head": cluster["headGroupSpec"]} | groups).items()
    }


def test_the_head_and_every_worker_reach_the_store(manifest: dict[str, Any]) -> None:
    pods = ray_pods(manifest)
    assert pods.keys() == {"head", "learner", "scorer", "generator"}
    own = {"RKD_DATA_DIR": "/var/lib/rkd", "HOME": "/tmp"}
    token = {"RKD_ATTEMPT_TOKEN": {"name": "rkd-job-1-2", "key": "token"}}
    for name, pod in pods.items():
        [container] = pod["containers"]
        assert environment(container) == {**REACHED, **own, **(token if name == "head" else {})}
        assert container["envFrom"] == [{"secretRef": {"name": "rkd-hub"}}]


def test_the_control_plane_reaches_the_same_one(objects: list[Object]) -> None:
    told = control(objects)
    assert {name: told[name] for name in REACHED} == REACHED


def test_the_driver_is_told_of_the_store_and_keeps_the_data_folder_of_its_pod(
    manifest: dict[str, Any],
) -> None:
    """What is set here goes to the actors too, before what their pods have. No key is in it."""
    assert yaml.safe_load(manifest["spec"]["runtimeEnvYAML"])["env_vars"] == engine_environment(
        "cuda"
    ) | {
        "RKD_OBJECT_STORE": "s3://team-runs/rkd",
        "RKD_CONTROL_URL": "http://rkd.rkd-team.svc:8420",
        "RKD_JOB_ID": "job-1",
        "RKD_PROJECT": "default",
        "RKD_CHANGES": "0",
        "RKD_ROLE_LABEL": "rkd.io/role",
        "RAY_JOB_STOP_WAIT_TIME_S": "20",
    }
    assert shlex.split(manifest["spec"]["entrypoint"]) == [
        *("/opt/rkd/bin/python", "-m", "rkd_online.cluster.entrypoint"),
        *("--job-dir", "scratch/runs/job-1", "--attempt", "2"),
    ]


def test_each_pod_has_a_data_folder_of_its_own_that_can_be_written(
    manifest: dict[str, Any],
) -> None:
    submitter = manifest["spec"]["submitterPodTemplate"]["spec"]
    for pod in (*ray_pods(manifest).values(), submitter):
        assert {tuple(one.keys() - {"name"}) for one in pod["volumes"]} == {("emptyDir",)}
    for pod in ray_pods(manifest).values():
        volumes = {one["name"]: one for one in pod["volumes"]}
        mounts = {one["mountPath"]: one for one in pod["containers"][0]["volumeMounts"]}
        assert mounts["/var/lib/rkd"] == {"name": "data", "mountPath": "/var/lib/rkd"}
        assert volumes["data"] == {"name": "data", "emptyDir": {"sizeLimit": "200Gi"}}
