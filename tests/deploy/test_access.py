"""Rights are exactly those written here, and whatever is referred to is there or is to be made."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.deploy.charts import ROOT, Object, embedded, of_kind, pods

RULES = {
    "ray.io rayjobs: create get delete",
    " secrets: create",
    " pods: list",
    " pods/log: get",
}
OF_THE_CLUSTER = {"ConfigMap/kube-root-ca.crt"}
"""Kubernetes puts it into every namespace."""
OF_THE_USER = {
    *("PersistentVolumeClaim/models", "Secret/registry", "Secret/rkd-database", "Secret/rkd-hub"),
    *("Secret/rkd-key-pepper", "Secret/rkd-ray-token", "Secret/rkd-redis", "Secret/rkd-s3"),
    *("Secret/rkd-first-key", "Secret/rkd-test-key", "Secret/rkd-tls"),
}


def test_the_launcher_of_rayjobs_may_do_exactly_this(rendered: Mapping[str, list[Object]]) -> None:
    [role] = of_kind(rendered["rayjob"], "Role")
    assert {
        f"{' '.join(rule['apiGroups'])} {' '.join(rule['resources'])}: {' '.join(rule['verbs'])}"
        for rule in role["rules"]
    } == RULES
    [binding] = of_kind(rendered["rayjob"], "RoleBinding")
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "rkd-control", "namespace": "rkd-team"}
    ]


def test_nobody_else_may_do_anything(rendered: Mapping[str, list[Object]]) -> None:
    for name, objects in rendered.items():
        kinds = {one["kind"] for one in objects}
        assert kinds.isdisjoint({"ClusterRole", "ClusterRoleBinding"})
        assert name == "rayjob" or kinds.isdisjoint({"Role", "RoleBinding"})


def test_no_secret_is_rendered(objects: list[Object]) -> None:
    assert list(of_kind(objects, "Secret")) == []


def test_service_accounts_bring_no_token(objects: list[Object]) -> None:
    accounts = {one["metadata"]["name"]: one for one in of_kind(objects, "ServiceAccount")}
    assert all(one["automountServiceAccountToken"] is False for one in accounts.values())
    used = {
        pod.spec["serviceAccountName"] for pod in pods(objects) if "serviceAccountName" in pod.spec
    }
    assert used == set(accounts)


def test_kuberays_role_for_the_autoscaler_has_a_name_of_its_own(
    rendered: Mapping[str, list[Object]],
) -> None:
    """The operator makes a Role named as the cluster, and would find one of ours in its place."""
    [role] = of_kind(rendered["rayjob"], "Role")
    [cluster] = of_kind(rendered["prod-gpu"], "RayCluster")
    assert role["metadata"]["name"] != cluster["metadata"]["name"]


def references(part: Any) -> Iterator[str]:
    """Everything that is named as a Secret, a ConfigMap or a claim, wherever it stands."""
    if isinstance(part, list):
        for one in part:
            yield from references(one)
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if key in ("secretKeyRef", "secretRef"):
            yield f"Secret/{value['name']}"
        elif key == "imagePullSecrets":
            yield from (f"Secret/{one['name']}" for one in value)
        elif key == "secretName":
            yield f"Secret/{value}"
        elif key in ("configMap", "configMapKeyRef", "configMapRef"):
            yield f"ConfigMap/{value['name']}"
        elif key == "persistentVolumeClaim":
            yield f"PersistentVolumeClaim/{value['claimName']}"
        yield from references(value)


def test_what_is_referred_to_is_rendered_or_is_to_be_made(
    rendered: Mapping[str, list[Object]],
) -> None:
    missing: set[str] = set()
    for objects in rendered.values():
        there = {f"{one['kind']}/{one['metadata']['name']}" for one in objects}
        missing |= set(references([*objects, *embedded(objects)])) - there
    assert missing == OF_THE_USER | OF_THE_CLUSTER


def test_the_walk_through_makes_every_secret_that_the_values_of_the_chart_name(
    rendered: Mapping[str, list[Object]],
) -> None:
    text = (ROOT / "deploy" / "README.md").read_text()
    made = set(re.findall(r"kubectl create secret \w+ ([\w-]+)", text))
    keys = dict(re.findall(r"^\| `(rkd-[\w-]+)` \| (`[^|]*`) \|", text, re.MULTILINE))
    for name in ("default", "dev", "prod-gpu", "rayjob"):
        for one in set(references([*rendered[name], *embedded(rendered[name])])):
            kind, _, secret = one.partition("/")
            assert kind != "Secret" or secret in made & keys.keys()
    for secret, key in secret_keys([*rendered["prod-gpu"], *rendered["everything"]]):
        assert f"`{key}`" in keys[secret]


def secret_keys(part: Any) -> Iterator[tuple[str, str]]:
    if isinstance(part, list):
        for one in part:
            yield from secret_keys(one)
    elif isinstance(part, dict):
        if "secretKeyRef" in part:
            yield part["secretKeyRef"]["name"], part["secretKeyRef"]["key"]
        for value in part.values():
            yield from secret_keys(value)
