"""Every value does something: changed by itself, what is rendered differs."""

from collections.abc import Iterable, Iterator
from pathlib import Path as Folder
from typing import Any

import pytest

from tests.deploy.charts import Helm, Object, merged, values_of
from tests.deploy.scenarios import DEV, EVERYTHING, PROD, RAYJOB, SHARED_VOLUME

DEFAULTS = values_of("values.yaml")
GROUPS = PROD["ray"]["workerGroups"]
TRIED = {
    "everything": merged(EVERYTHING, {"ingress": {"trustedProxies": []}}),
    "dev": DEV,
    "rayjob": RAYJOB,
    "shared-volume": SHARED_VOLUME,
    "prod-gpu": PROD,
    "two groups of a role": merged(
        PROD, {"ray": {"workerGroups": [{**GROUPS[0], "name": "more"}, *GROUPS]}}
    ),
}
"""In the order in which they are tried: one where a change shows is enough."""
Path = tuple[str | int, ...]

OTHERS: dict[str, Any] = {
    "images.tag": "0.1.1",
    "images.pullPolicy": "Always",
    "images.pullSecrets": ["other"],
    "device": "cuda",
    "launcher": "rayjob",
    "config": {"RKD_LOG_LEVEL": "debug"},
    "control.allowedHosts": ["proxy.local"],
    "control.podAnnotations": {"a": "b"},
    "control.nodeSelector": {"a": "b"},
    "control.tolerations": [{"key": "a", "operator": "Exists"}],
    "serviceAccounts.annotations": {"a": "b"},
    "service.type": "NodePort",
    "service.annotations": {"a": "b"},
    "ingress.annotations": {"a": "b"},
    "ingress.trustedProxies": ["10.0.0.1"],
    "database.type": "sqlite",
    "storage.type": "s3",
    "storage.pvc.accessMode": "ReadWriteMany",
    "storage.s3.endpoint": "https://other",
    "ray.version": "2.61.0",
    "ray.roleLabel": "other.io/role",
    "ray.upgradeStrategy": "None",
    "ray.env": {"A": "b"},
    "ray.envSecrets": ["other"],
    "ray.gcsFaultTolerance.redisAddress": "rediss://other:6379",
    "ray.head.nodeSelector": {"a": "b"},
    "ray.head.tolerations": [{"key": "a", "operator": "Exists"}],
    "ray.workerGroups[].role": "scorer",
    "ray.workerGroups[].minReplicas": 0,
    "ray.workerGroups[].nodeSelector": {"a": "b"},
    "ray.workerGroups[].tolerations": [{"key": "a", "operator": "Exists"}],
    "kueue.flavors[].nodeLabels": {"a": "b"},
    "networkPolicy.dns.nodeLocalAddress": "169.254.20.10",
    "monitoring.labels": {"a": "b"},
    "monitoring.scrapeInterval": "15s",
}
"""What to change a value to, where one more, the opposite or another word would not do."""
WITH: dict[str, dict[str, Any]] = {
    "database.type": {"database": {"secretName": ""}, "control": {"replicas": 1}},
    "storage.type": {
        "storage": {"s3": {"bucket": "other", "secretName": "s3"}},
        "keyPepper": {"secretName": "pepper"},
        "firstKey": {"secretName": "first"},
        "database": {"type": "postgresql", "secretName": "other"},
    },
    "device": {"ray": {"workerGroups": GROUPS}},
}
"""What has to change with a value that chooses between whole ways to run."""


def leaves(part: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that has no further within it."""
    pairs: Iterable[tuple[str | int, Any]]
    if isinstance(part, dict) and part:
        pairs = part.items()
    elif isinstance(part, list) and part and isinstance(part[0], dict):
        pairs = enumerate(part)
    else:
        yield path, part
        return
    for key, value in pairs:
        yield from leaves(value, (*path, key))


def named(path: Path) -> str:
    return "".join("[]" if isinstance(step, int) else f".{step}" for step in path)[1:]


def other(name: str, value: Any) -> Any:
    """Another value of the same kind."""
    if name in OTHERS:
        return OTHERS[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if name.endswith("ports"):
        return [*value, 8443]
    if name.endswith(".except"):
        return ["192.0.2.0/24"]
    if value.endswith(("Gi", "Mi")):
        return f"3{value}"
    if name.endswith((".cpu", ".pods")):
        return "7"
    if name.endswith(".cidr"):
        return "192.0.2.0/24"
    return f"{value}x" if value else "other"


def changed(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """The values with another at a path; lists are given whole."""
    copy: dict[str, Any] = merged(values, {})
    part: Any = copy
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = other(named(path), part.get(path[-1]))
    return copy


LEAVES = {named(path): path for path, _ in leaves(DEFAULTS)}


@pytest.fixture(scope="session")
def before(helm: Helm, with_files: Folder) -> dict[str, list[Object]]:
    """What the values render unchanged."""
    return {name: helm.template(values, with_files).objects for name, values in TRIED.items()}


@pytest.mark.parametrize("name", LEAVES)
def test_a_value_changes_what_is_rendered(
    helm: Helm, with_files: Folder, before: dict[str, list[Object]], name: str
) -> None:
    refused = []
    for tried, values in TRIED.items():
        whole = changed(merged(DEFAULTS, values), LEAVES[name])
        found = helm.template(merged(whole, WITH.get(name, {})), with_files)
        if found.code == 0 and found.objects != before[tried]:
            return
        refused.append(found.error)
    pytest.fail(f"{name} changes nothing: {refused}")


def test_all_values_are_walked() -> None:
    assert len(LEAVES) > 120
    assert {"control.replicas", "ray.workerGroups[].gpus", "networkPolicy.dns.namespace"} <= set(
        LEAVES
    )


def test_files_of_values_name_only_keys_that_there_are() -> None:
    for values in (DEV, PROD):
        names = {named(path) for path, _ in leaves(values)}
        free = ("config.", "ingress.annotations.", "monitoring.labels.", "resourceQuota.hard.")
        within = (".nodeSelector.", ".tolerations[].")
        assert {
            name
            for name in names - set(LEAVES)
            if not name.startswith(free) and not any(part in name for part in within)
        } == set()
