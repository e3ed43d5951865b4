"""Every pod that anything rendered will make keeps to Pod Security `restricted`, and to more."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.deploy.charts import Object, PodTemplate, pods, ray_clusters

VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected"}
CONTAINER = {
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "runAsGroup": 10001,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
POD = {
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "runAsGroup": 10001,
    "fsGroup": 10001,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
PODS = {
    "default": 4,  # control plane, head, group, test
    "prod-gpu": 7,  # and two groups, migration
    "rayjob": 8,  # and the pod that submits
}


def containers(objects: list[Object]) -> Iterator[Mapping[str, Any]]:
    """Those of all pods, and Ray's autoscaler, which KubeRay adds."""
    for pod in pods(objects):
        yield from pod.containers
    for cluster in ray_clusters(objects):
        if cluster["enableInTreeAutoscaling"]:
            yield cluster["autoscalerOptions"]


@pytest.mark.parametrize("name", PODS)
def test_all_pods_are_found(rendered: Mapping[str, list[Object]], name: str) -> None:
    assert len(pods(rendered[name])) == PODS[name]


def test_containers_are_restricted(objects: list[Object]) -> None:
    for container in containers(objects):
        assert container["securityContext"] == CONTAINER


def test_pods_are_restricted(objects: list[Object]) -> None:
    for pod in pods(objects):
        assert pod.spec["securityContext"] == POD
        for name in ("hostNetwork", "hostPID", "hostIPC", "hostUsers"):
            assert name not in pod.spec
        for container in pod.containers:
            assert all("hostPort" not in port for port in container.get("ports", []))


def test_containers_have_requests_and_limits(objects: list[Object]) -> None:
    for container in containers(objects):
        for part in ("requests", "limits"):
            assert {"cpu", "memory"} <= container["resources"][part].keys()


def test_gpus_are_limits(rendered: Mapping[str, list[Object]]) -> None:
    for name in ("prod-gpu", "rayjob"):
        [cluster] = ray_clusters(rendered[name])
        found = [
            group["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"]
            for group in cluster["workerGroupSpecs"]
        ]
        assert found == [2, 2, 8]


def test_images_have_a_tag_that_stays(objects: list[Object]) -> None:
    for pod in pods(objects):
        for container in pod.containers:
            assert re.fullmatch(r"[\w./-]+:0\.1\.0", container["image"])


def test_what_is_written_is_a_volume_of_a_limited_size(objects: list[Object]) -> None:
    for pod in pods(objects):
        for container in pod.containers:
            mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert "/tmp" in mounts
            assert {one["name"] for one in container["env"]} >= {"HOME"}
        for volume in pod.spec["volumes"]:
            [kind] = volume.keys() - {"name"}
            assert kind in VOLUMES
            assert kind != "emptyDir" or volume["emptyDir"]["sizeLimit"]


def test_shared_memory_is_memory(objects: list[Object]) -> None:
    for cluster in ray_clusters(objects):
        groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
        for spec in [group["template"]["spec"] for group in groups]:
            [volume] = [one for one in spec["volumes"] if one["name"] == "shared-mem"]
            assert volume["emptyDir"]["medium"] == "Memory"
            mounts = spec["containers"][0]["volumeMounts"]
            assert {"name": "shared-mem", "mountPath": "/dev/shm"} in mounts


def test_no_pod_gets_a_token_that_only_one_of_its_containers_needs(objects: list[Object]) -> None:
    for pod in pods(objects):
        assert pod.spec["automountServiceAccountToken"] is False


def holders(found: list[PodTemplate]) -> list[str]:
    """Containers that mount a token of Kubernetes."""
    return [
        container["name"]
        for pod in found
        for container in pod.containers
        if any(mount["mountPath"] == TOKEN for mount in container["volumeMounts"])
    ]


def test_a_token_is_for_the_launcher_of_rayjobs_and_for_the_autoscaler(
    rendered: Mapping[str, list[Object]],
) -> None:
    assert holders(pods(rendered["rayjob"])) == ["control"]
    assert holders(pods(rendered["prod-gpu"])) == []
    [cluster] = ray_clusters(rendered["prod-gpu"])
    assert TOKEN in [one["mountPath"] for one in cluster["autoscalerOptions"]["volumeMounts"]]
    [cluster] = ray_clusters(rendered["default"])
    assert "kubernetes-token" not in str(cluster)


def test_a_service_named_rkd_sets_no_variables_of_ours(objects: list[Object]) -> None:
    for pod in pods(objects):
        assert pod.spec["enableServiceLinks"] is False


def test_on_a_shared_volume_ray_sees_the_folders_of_jobs_alone(
    rendered: Mapping[str, list[Object]],
) -> None:
    for pod in pods(rendered["shared-volume"]):
        mounts = [one for one in pod.containers[0]["volumeMounts"] if one["name"] == "data"]
        if pod.labels["app.kubernetes.io/component"] == "ray":
            assert mounts == [{"name": "data", "mountPath": "/var/lib/rkd/runs", "subPath": "runs"}]
