"""The chart is sound for helm, and what it renders is for Kubernetes."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from rkd_online import __version__
from tests.deploy.charts import CHART, NAMESPACE, ROOT, Helm, Object, of_kind, pods
from tests.deploy.scenarios import SCENARIOS

BUILT_IN = (
    "v1",
    "apps/v1",
    "batch/v1",
    "networking.k8s.io/v1",
    "policy/v1",
    "rbac.authorization.k8s.io/v1",
)
VERSIONS = ("1.30", "1.37")
DEFAULT_KINDS = {
    *("ConfigMap", "Deployment", "NetworkPolicy", "PersistentVolumeClaim", "Pod", "RayCluster"),
    *("Service", "ServiceAccount"),
}
PROD_KINDS = DEFAULT_KINDS - {"PersistentVolumeClaim"} | {
    *("Ingress", "Job", "PodDisruptionBudget", "PodMonitor", "ResourceQuota", "ServiceMonitor"),
}
KUEUE_KINDS = {"ClusterQueue", "LocalQueue", "ResourceFlavor"}
KINDS = {
    "default": DEFAULT_KINDS,
    "prod-gpu": PROD_KINDS,
    "rayjob": PROD_KINDS - {"RayCluster"} | KUEUE_KINDS | {"Role", "RoleBinding"},
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_helm_has_nothing_to_say_against_it(helm: Helm, name: str, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.dump(dict(SCENARIOS[name])))
    done = helm.run("lint", "--strict", str(CHART), "-f", str(values))
    assert done.code == 0, done.out
    assert "0 chart(s) failed" in done.out


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_own_objects_have_the_fields_of_its_schemas(
    objects: list[Object], version: str
) -> None:
    checked = [found for found in objects if found["apiVersion"] in BUILT_IN]
    assert len(checked) > 8
    for found in checked:
        kubernetes_validate.validate(found, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_pods_within_other_objects_have_the_fields_of_a_pod(
    objects: list[Object], version: str
) -> None:
    for pod in pods(objects):
        named = {"name": "of-a-template", "labels": dict(pod.labels)}
        whole = {"apiVersion": "v1", "kind": "Pod", "metadata": named, "spec": dict(pod.spec)}
        kubernetes_validate.validate(whole, version, strict=True)


def test_a_misspelt_field_would_be_found() -> None:
    pod = {"name": "p", "containers": [{"name": "c", "image": "i", "imagePulPolicy": "Always"}]}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {"apiVersion": "v1", "kind": "Pod", "spec": pod}, "1.37", strict=True
        )


@pytest.mark.parametrize("name", KINDS)
def test_these_kinds_are_made_and_no_others(
    rendered: Mapping[str, list[Object]], name: str
) -> None:
    assert {one["kind"] for one in rendered[name]} - {"PrometheusRule"} == KINDS[name]


def test_names_are_unique_short_enough_and_of_the_release(objects: list[Object]) -> None:
    names = [(found["kind"], found["metadata"]["name"]) for found in objects]
    assert len(set(names)) == len(names)
    # KubeRay's limit, of which its own suffixes are taken.
    assert all(len(name) <= 47 for kind, name in names if kind == "RayCluster")
    assert {found["metadata"].get("namespace") for found in objects} == {None}


def test_a_long_name_is_cut_to_what_kuberay_takes(helm: Helm) -> None:
    found = helm.run("template", "r" * 53, str(CHART), "-n", NAMESPACE).objects
    [cluster] = of_kind(found, "RayCluster")
    assert cluster["metadata"]["name"] == "r" * 40 + "-ray"


def test_its_version_is_that_of_the_package() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_helm_test_submits_the_quickstart_of_the_examples() -> None:
    held = (CHART / "files" / "quickstart.yaml").read_bytes()
    assert held == (ROOT / "examples" / "quickstart.yaml").read_bytes()


def test_it_can_be_packaged(helm: Helm, tmp_path: Path) -> None:
    chart = Path(shutil.copytree(CHART, tmp_path / "rkd-online"))
    done = helm.run("package", str(chart), "-d", str(tmp_path))
    assert done.code == 0, done.error
    assert helm.run("template", "rkd", str(tmp_path / f"rkd-online-{__version__}.tgz")).code == 0
