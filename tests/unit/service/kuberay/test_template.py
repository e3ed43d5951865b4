"""Which templates are taken, what their pods offer, and how many of them a job needs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rkd_online.errors import ServiceError, TooLargeError
from rkd_online.service.launchers.packing import replicas
from rkd_online.service.launchers.rayjob_template import read_template
from rkd_online.service.settings import Settings
from tests.unit.service.kuberay.specs import GPUS, job

Change = Callable[[dict[str, Any]], None]

PODS = {
    "learner": {"CPU": 4.0, "GPU": 2.0},
    "scorer": {"CPU": 6.0, "GPU": 1.0},
    "generator": {"CPU": 4.0, "GPU": 2.0},
}


def test_pods_offer_what_kuberay_tells_ray(kube_settings: Settings) -> None:
    """3500m are rounded up; what Ray is told by the group goes before limits of the container."""
    template = read_template(kube_settings)
    assert (template.pods, template.queue) == (PODS, "gpus")


def test_the_queue_may_be_named_by_the_template(kube_settings: Settings, tmp_path: Path) -> None:
    def label(manifest: dict[str, Any]) -> None:
        manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "of-the-chart"

    plain = kube_settings.model_copy(update={"kueue_queue": ""})
    assert read_template(changed(plain, tmp_path, label)).queue == "of-the-chart"


def groups(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    return found


def changed(settings: Settings, folder: Path, change: Change) -> Settings:
    assert settings.rayjob_template is not None
    manifest = yaml.safe_load(settings.rayjob_template.read_text())
    change(manifest)
    (folder / "rayjob.yaml").write_text(yaml.safe_dump(manifest))
    return settings.model_copy(update={"rayjob_template": folder / "rayjob.yaml"})


IN_GROUPS = "spec.rayClusterSpec.workerGroupSpecs"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda it: groups(it).pop(),
            f"  {IN_GROUPS}: the groups are learner, scorer, and have to be learner, scorer, "
            "generator, each once",
        ),
        (
            lambda it: groups(it)[2].update(groupName="gpu-group"),
            f"  {IN_GROUPS}.2.groupName: Input should be 'learner', 'scorer' or 'generator', and "
            "is 'gpu-group'",
        ),
        (
            lambda it: groups(it)[0].pop("labels"),
            f"  {IN_GROUPS}.learner.labels: has no rkd.io/role: learner, by which RKD_ROLE_LABEL "
            "places its actors",
        ),
        (
            lambda it: groups(it)[0]["template"]["spec"]["containers"][0]["resources"].update(
                limits={"cpu": "many"}
            ),
            f"  {IN_GROUPS}.0.template.spec.containers.0.resources.limits.cpu: Value error, "
            "Invalid quantity string: 'many', and is 'many'",
        ),
        (
            lambda it: it["spec"].update(activeDeadlineSeconds=3600),
            "  spec.activeDeadlineSeconds: Input should be None, and is 3600",
        ),
        (
            lambda it: it.update(kind="RayCluster"),
            "  kind: Input should be 'RayJob', and is 'RayCluster'",
        ),
        (
            lambda it: it["spec"]["rayClusterSpec"].update(enableInTreeAutoscaling=True),
            "  spec.rayClusterSpec.enableInTreeAutoscaling: Input should be False, and is True",
        ),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_with_its_field(
    kube_settings: Settings, tmp_path: Path, change: Change, problem: str
) -> None:
    settings = changed(kube_settings, tmp_path, change)
    with pytest.raises(ServiceError) as refused:
        read_template(settings)
    assert str(refused.value) == (
        f"RKD_RAYJOB_TEMPLATE, {settings.rayjob_template}, cannot be used:\n{problem}"
    )


def test_one_that_nobody_would_ever_admit_is_refused(kube_settings: Settings) -> None:
    with pytest.raises(ServiceError, match=r"spec\.suspend: is true, and without Kueue nobody"):
        read_template(kube_settings.model_copy(update={"kueue_queue": ""}))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "is no YAML: while parsing a flow node"),
        ("just words", "cannot be used:\n  the file: Input should be a valid dictionary"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(
    kube_settings: Settings, tmp_path: Path, text: str, problem: str
) -> None:
    file = tmp_path / "rayjob.yaml"
    file.write_text(text)
    with pytest.raises(ServiceError) as refused:
        read_template(kube_settings.model_copy(update={"rayjob_template": file}))
    assert problem in str(refused.value)


def test_a_template_that_is_not_there_or_not_named_is_refused(
    kube_settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(ServiceError, match="RKD_RAYJOB_TEMPLATE is empty"):
        read_template(kube_settings.model_copy(update={"rayjob_template": None}))
    absent = kube_settings.model_copy(update={"rayjob_template": tmp_path / "none"})
    with pytest.raises(ServiceError, match=r"none, cannot be read: No such file or directory"):
        read_template(absent)


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        # 2 ranks of 1 GPU fit one pod of 2; 2 scorers of half a GPU one of 1; 3 generators need 2.
        ({}, {"learner": 1, "scorer": 1, "generator": 2}),
        # By CPU: 3 scorers of 3 CPU, 2 to a pod of 6; ranks of 3 CPU have a pod of 4 each.
        (
            {
                "scorer": {"count": 3, "cpus": 3, "gpus": 0.1},
                "learner": {"ranks": 3, "cpus": 3, "gpus": 1},
            },
            {"learner": 3, "scorer": 2, "generator": 2},
        ),
        # What reserves nothing fits in one pod.
        (
            {"scorer": {"count": 5, "cpus": 0, "gpus": 0}},
            {"learner": 1, "scorer": 1, "generator": 2},
        ),
        # All of a job on cpu: 1 + 1 + 2 CPU in the learner's pod of 4.
        (
            {
                "device": "cpu",
                "generator": {"count": 2},
                "scorer": {},
                "learner": {"cpus": 1},
            },
            {"learner": 1},
        ),
    ],
)
def test_replicas_are_pods_that_hold_the_actors(
    resources: dict[str, Any], expected: dict[str, int]
) -> None:
    assert replicas(job(**resources), PODS) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("resources", "problem"),
    [
        (
            {"scorer": {"count": 2, "cpus": 2, "gpus": 2}},
            "a scorer needs 2 GPU, and a pod of the group scorer has 1: lower "
            "resources.scorer.gpus",
        ),
        (
            {"device": "cpu", "generator": {"count": 4}, "scorer": {}, "learner": {}},
            "all actors of a job on cpu go into one pod of the group learner, which has 4 CPU, and "
            "this one needs 6 (1 + 1 + 1 + 1 + 1 + 1 for learner ranks, scorers and generators)",
        ),
    ],
)
def test_what_no_pod_can_hold_is_refused_with_the_arithmetic(
    resources: dict[str, Any], problem: str
) -> None:
    assert GPUS["device"] == "cuda"
    with pytest.raises(TooLargeError) as refused:
        replicas(job(**resources), PODS)  # type: ignore[arg-type]
    assert str(refused.value).startswith(problem)
