"""Network policies open exactly what is written here; everything else of a release is denied."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.deploy.charts import Helm, Object, merged, of_kind, pods
from tests.deploy.scenarios import DEV, PROD, RAYJOB

LINK_LOCAL = ipaddress.ip_network("169.254.0.0/16")
OUTSIDE = "0.0.0.0/0 but 169.254.0.0/16"
HUB = "0.0.0.0/0 but 10.0.0.0/8 100.64.0.0/10 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16"
DNS = {"* out to kube-system/kube-dns UDP53", "* out to kube-system/kube-dns TCP53"}
ALWAYS = DNS | {
    "control in from ray TCP8420",
    "control in from test TCP8420",
    "control out to ray TCP8265",
    "ray in from control TCP8265",
    "ray in from ray all",
    "ray out to control TCP8420",
    "ray out to ray all",
    f"ray out to {HUB} TCP443",
    "test out to control TCP8420",
}
POSTGRESQL_AND_S3 = {
    "control out to 10.0.0.0/8 TCP5432",
    "migration out to 10.0.0.0/8 TCP5432",
    f"control out to {OUTSIDE} TCP443",
    f"ray out to {OUTSIDE} TCP443",
}
FROM_OUTSIDE = {
    "control in from ingress-nginx/ingress-nginx TCP8420",
    "control in from monitoring/prometheus TCP8420",
    "ray in from monitoring/prometheus TCP8080",
    "ray in from monitoring/prometheus TCP44217",
    "ray in from monitoring/prometheus TCP44227",
}
AUTOSCALER_AND_REDIS = {
    "ray out to 10.0.0.0/8 TCP6379",
    f"ray out to {OUTSIDE} TCP6443",
}
LAUNCHER = {
    "ray in from ray-submitter TCP8265",
    "ray in from kuberay-system/kuberay-operator TCP8265",
    "ray-submitter out to ray TCP8265",
    f"control out to {OUTSIDE} TCP6443",
}
OPENINGS = {
    "dev": ALWAYS,
    "prod-gpu": ALWAYS | POSTGRESQL_AND_S3 | FROM_OUTSIDE | AUTOSCALER_AND_REDIS,
    "rayjob": ALWAYS | POSTGRESQL_AND_S3 | FROM_OUTSIDE | LAUNCHER,
}


def component(selector: Mapping[str, Any]) -> str:
    """Whom a selector of pods of the release means."""
    labels = {"app.kubernetes.io/component": "*", **selector["matchLabels"]}
    assert labels.keys() == {"app.kubernetes.io/instance", "app.kubernetes.io/component"}
    assert labels["app.kubernetes.io/instance"] == "rkd"
    return str(labels["app.kubernetes.io/component"])


def peer(found: Mapping[str, Any]) -> str:
    """Whom one peer of a rule means, in one word."""
    if "ipBlock" in found:
        block = found["ipBlock"]
        but = block.get("except")
        return f"{block['cidr']} but {' '.join(but)}" if but else str(block["cidr"])
    if "namespaceSelector" not in found:
        return component(found["podSelector"])
    [namespace] = found["namespaceSelector"]["matchLabels"].values()
    [name] = found["podSelector"]["matchLabels"].values()
    return f"{namespace}/{name}"


def openings(objects: list[Object]) -> Iterator[str]:
    """A line for each pair of a peer and a port in every policy."""
    for policy in of_kind(objects, "NetworkPolicy"):
        spec = policy["spec"]
        whose = component(spec["podSelector"])
        for direction, word, side in (("ingress", "in from", "from"), ("egress", "out to", "to")):
            for rule in spec.get(direction, []):
                # A rule without either would mean everybody, or every port.
                ports = [f"{one['protocol']}{one['port']}" for one in rule.get("ports", [])]
                for found in rule[side]:
                    for port in ports or ["all"]:
                        yield f"{whose} {word} {peer(found)} {port}"


@pytest.mark.parametrize(("name", "values"), [("dev", DEV), ("prod-gpu", PROD), ("rayjob", RAYJOB)])
def test_exactly_this_is_open(helm: Helm, name: str, values: Mapping[str, Any]) -> None:
    assert set(openings(helm.template(values).objects)) == OPENINGS[name]


def test_rays_pods_reach_tracking_servers_where_there_are_some(helm: Helm) -> None:
    values = {"config": {"RKD_TRACKERS": {"team": "http://mlflow.tracking.svc:5000"}}}
    found = set(openings(helm.template(merged(DEV, values)).objects))
    assert found - ALWAYS == {"ray out to 10.0.0.0/8 TCP443", "ray out to 10.0.0.0/8 TCP5000"}


def test_every_port_is_open_only_between_rays_own_pods(helm: Helm) -> None:
    found = {line for line in openings(helm.template(PROD).objects) if line.endswith(" all")}
    assert found == {"ray in from ray all", "ray out to ray all"}


def test_all_pods_of_the_release_are_denied_what_is_not_open(objects: list[Object]) -> None:
    [deny] = [
        policy["spec"]
        for policy in of_kind(objects, "NetworkPolicy")
        if policy["metadata"]["name"].endswith("-default-deny")
    ]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert deny.keys() == {"podSelector", "policyTypes"}
    assert deny["podSelector"] == {"matchLabels": {"app.kubernetes.io/instance": "rkd"}}
    for pod in pods(objects):
        assert pod.labels["app.kubernetes.io/instance"] == "rkd"


def test_every_component_that_has_pods_has_a_policy(objects: list[Object]) -> None:
    named = {
        policy["spec"]["podSelector"]["matchLabels"].get("app.kubernetes.io/component")
        for policy in of_kind(objects, "NetworkPolicy")
    }
    assert {pod.labels["app.kubernetes.io/component"] for pod in pods(objects)} == named - {None}


@pytest.mark.parametrize(
    "cidr",
    ["0.0.0.0/0", "128.0.0.0/1", "160.0.0.0/3", "168.0.0.0/5", "169.0.0.0/8", "169.254.0.0/15"],
)
def test_a_range_around_the_metadata_service_is_cut(helm: Helm, cidr: str) -> None:
    values = {"networkPolicy": {"modelHub": {"cidrs": [{"cidr": cidr, "except": []}]}}}
    found = set(openings(helm.template(merged(DEV, values)).objects))
    assert f"ray out to {cidr} but 169.254.0.0/16 TCP443" in found


@pytest.mark.parametrize("cidr", ["10.0.0.0/8", "168.0.0.0/8", "170.0.0.0/7", "169.252.0.0/15"])
def test_a_range_elsewhere_is_left_as_it_is(helm: Helm, cidr: str) -> None:
    values = {"networkPolicy": {"modelHub": {"cidrs": [{"cidr": cidr, "except": []}]}}}
    found = set(openings(helm.template(merged(DEV, values)).objects))
    assert f"ray out to {cidr} TCP443" in found


def test_what_is_cut_out_lies_within_its_range(objects: list[Object]) -> None:
    """The API server refuses a policy where it does not."""
    for policy in of_kind(objects, "NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            for block in [one["ipBlock"] for one in rule["to"] if "ipBlock" in one]:
                whole = ipaddress.ip_network(block["cidr"])
                cut = [ipaddress.ip_network(one) for one in block.get("except", [])]
                assert all(one.subnet_of(whole) for one in cut)  # type: ignore[arg-type]
                assert not whole.overlaps(LINK_LOCAL) or LINK_LOCAL in cut


def test_a_cache_of_dns_on_the_node_is_one_address(helm: Helm) -> None:
    values = {"networkPolicy": {"dns": {"nodeLocalAddress": "169.254.20.10"}}}
    more = set(openings(helm.template(merged(DEV, values)).objects)) - OPENINGS["dev"]
    assert more == {"* out to 169.254.20.10/32 UDP53", "* out to 169.254.20.10/32 TCP53"}
    values = {"networkPolicy": {"dns": {"nodeLocalAddress": "169.254.169.254"}}}
    assert "at '/networkPolicy/dns/nodeLocalAddress'" in helm.template(values).error


def test_without_policies_there_are_none(helm: Helm) -> None:
    found = helm.template({"networkPolicy": {"enabled": False}}).objects
    assert list(of_kind(found, "NetworkPolicy")) == []
