"""What is sent to KubeRay has its fields: by its own CRDs where a folder has them, and always by
the list of those that the chart sets."""

import re
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest

from scripts.kuberay_fields import FILES, HEAD, LIST, fields, lines, text
from tests.deploy.charts import Object, embedded, of_kind, ray_clusters
from tests.kuberay_crds import kuberay_schemas, strict

TYPES = {"string": str, "boolean": bool, "integer": int, "object": dict, "array": list}


def ours(objects: list[Object]) -> list[Object]:
    return [*of_kind(objects, "RayCluster"), *embedded(objects)]


def known() -> dict[str, dict[str, str]]:
    """The type of each field that the list has, by kind."""
    found: dict[str, dict[str, str]] = {kind: {} for kind in FILES}
    for line in LIST.read_text().splitlines():
        if not line.startswith("#"):
            path, _, kind_of_value = line.partition(": ")
            kind, _, path = path.partition(" ")
            found[kind][path] = kind_of_value
    return found


def fits(value: Any, wanted: str) -> bool:
    if wanted.startswith("one of "):
        return value in wanted.split()[2:]
    if wanted == "integer or string":
        return isinstance(value, int | str) and not isinstance(value, bool)
    return type(value) is TYPES[wanted]


def misfits(one: Object) -> list[str]:
    types = known()[one["kind"]]
    return [
        f"{text(path)}={value!r}"
        for path, value in fields(one["spec"], ("spec",))
        if not fits(value, types.get(text(path), "one of nothing"))
    ]


def test_every_field_is_of_the_list_and_of_its_type(objects: list[Object]) -> None:
    assert ours(objects)
    assert [misfits(one) for one in ours(objects)] == [[]] * len(ours(objects))


def test_the_list_would_find_a_misspelt_field_and_a_wrong_type(
    rendered: Mapping[str, list[Object]],
) -> None:
    [cluster] = ours(rendered["prod-gpu"])
    wrong = {**cluster["spec"], "enableInTreeAutoscaling": "yes", "autoscaler": {}}
    wrong["authOptions"] = {"mode": "tokens"}
    assert misfits({**cluster, "spec": wrong}) == [
        "spec.authOptions.mode='tokens'",
        "spec.enableInTreeAutoscaling='yes'",
        "spec.autoscaler={}",
    ]


def test_groups_have_what_kuberay_asks_for_beside_its_schema(objects: list[Object]) -> None:
    for cluster in ray_clusters(objects):
        assert cluster["authOptions"]["mode"] == "token"
        assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
        for group in cluster["workerGroupSpecs"]:
            assert 0 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
            assert re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", group["groupName"])
            # Of Ray's nodes and of pods alike, through a field of their own.
            assert "labels" not in group["rayStartParams"]


def test_roles_are_labels_of_groups(rendered: Mapping[str, list[Object]]) -> None:
    for name in ("prod-gpu", "rayjob"):
        [cluster] = ray_clusters(rendered[name])
        assert {group["groupName"]: group["labels"] for group in cluster["workerGroupSpecs"]} == {
            role: {"rkd.io/role": role} for role in ("generator", "scorer", "learner")
        }
    [cluster] = ray_clusters(rendered["dev"])
    assert [(group["groupName"], "labels" in group) for group in cluster["workerGroupSpecs"]] == [
        ("all", False)
    ]


def test_a_rayjob_is_left_to_the_launcher_and_to_kueue(
    rendered: Mapping[str, list[Object]],
) -> None:
    [job] = embedded(rendered["rayjob"])
    spec = job["spec"]
    assert (spec["entrypoint"], spec["suspend"], spec["shutdownAfterJobFinishes"]) == (
        "",
        True,
        True,
    )
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "rkd"
    assert "name" not in job["metadata"]
    assert spec["rayClusterSpec"]["enableInTreeAutoscaling"] is False
    assert [group["replicas"] for group in spec["rayClusterSpec"]["workerGroupSpecs"]] == [0, 0, 0]


def test_a_rayjobs_pods_are_those_of_the_standing_cluster(
    rendered: Mapping[str, list[Object]],
) -> None:
    [standing], [own] = ray_clusters(rendered["prod-gpu"]), ray_clusters(rendered["rayjob"])
    for mine, theirs in zip(own["workerGroupSpecs"], standing["workerGroupSpecs"], strict=True):
        assert mine["template"] == theirs["template"]
    # The head of a RayJob has no autoscaler, and so no token for it.
    volumes = standing["headGroupSpec"]["template"]["spec"]["volumes"]
    standing["headGroupSpec"]["template"]["spec"]["volumes"] = [
        volume for volume in volumes if volume["name"] != "kubernetes-token"
    ]
    assert own["headGroupSpec"] == standing["headGroupSpec"]


@pytest.fixture(scope="session")
def crds() -> dict[str, Any]:
    return kuberay_schemas()


def test_kuberays_own_schemas_take_them_without_an_unknown_field(
    crds: dict[str, Any], rendered: Mapping[str, list[Object]]
) -> None:
    checks = {kind: jsonschema.Draft7Validator(strict(crds[kind])) for kind in FILES}
    for one in [one for objects in rendered.values() for one in ours(objects)]:
        checks[one["kind"]].validate(one)
        misspelt = {**one, "spec": {**one["spec"], "rayVersionn": "2.60.0"}}
        with pytest.raises(jsonschema.ValidationError, match="rayVersionn"):
            checks[one["kind"]].validate(misspelt)


def test_the_list_is_what_the_script_makes_of_kuberays_own(
    crds: dict[str, Any], rendered: Mapping[str, list[Object]]
) -> None:
    found = [one for objects in rendered.values() for one in ours(objects)]
    assert LIST.read_text() == HEAD + "".join(f"{line}\n" for line in lines(found, crds))
