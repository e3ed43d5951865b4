"""What Prometheus, Grafana and Kueue are sent, whose schemas are no part of Kubernetes."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.deploy.charts import CHART, Helm, Object, of_kind, pods
from tests.deploy.conftest import ALERT, DASHBOARD
from tests.deploy.scenarios import PROD

POD_PORTS = {"metrics": 8080, "as-metrics": 44217, "dash-metrics": 44227}


@pytest.fixture(scope="session")
def monitored(helm: Helm, with_files: Path) -> list[Object]:
    """The objects of the chart with one alert and one dashboard."""
    return helm.template(PROD, with_files).objects


def test_alerts_arrive_as_they_are(monitored: list[Object]) -> None:
    [rule] = of_kind(monitored, "PrometheusRule")
    assert rule["apiVersion"] == "monitoring.coreos.com/v1"
    assert rule["metadata"]["name"] == "rkd-example"
    assert rule["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    assert rule["spec"] == yaml.safe_load(ALERT)


def test_dashboards_arrive_byte_for_byte(monitored: list[Object]) -> None:
    [found] = [one for one in of_kind(monitored, "ConfigMap") if "example.json" in one["data"]]
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["data"] == {"example.json": DASHBOARD}


def test_all_alerts_and_dashboards_of_the_chart_are_embedded(
    rendered: Mapping[str, list[Object]],
) -> None:
    objects = rendered["prod-gpu"]
    rules = [one["spec"] for one in of_kind(objects, "PrometheusRule")]
    assert rules == [
        yaml.safe_load(file.read_text()) for file in sorted(CHART.glob("alerts/*.yaml"))
    ]
    held = {
        name: text
        for one in of_kind(objects, "ConfigMap")
        for name, text in one["data"].items()
        if name.endswith(".json")
    }
    assert held == {file.name: file.read_text() for file in CHART.glob("dashboards/*.json")}


def test_rays_pods_are_scraped_where_they_listen(monitored: list[Object]) -> None:
    [monitor] = of_kind(monitored, "PodMonitor")
    ports = [one["port"] for one in monitor["spec"]["podMetricsEndpoints"]]
    assert ports == list(POD_PORTS)
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    scraped = [pod for pod in pods(monitored) if wanted <= pod.labels.items()]
    assert len(scraped) == 4  # the head and three groups
    for pod in scraped:
        found = {one["name"]: one["containerPort"] for one in pod.containers[0]["ports"]}
        assert found.items() >= {"metrics": 8080}.items()
        assert found.keys() <= POD_PORTS.keys() | {"gcs-server", "dashboard", "client"}
    ports_of = [
        {one["name"]: one["containerPort"] for one in pod.containers[0]["ports"]} for pod in scraped
    ]
    [head] = [found for found in ports_of if "gcs-server" in found]
    assert head.items() >= POD_PORTS.items()


def test_a_runs_own_labels_are_kept(monitored: list[Object]) -> None:
    """Panels and alerts ask by the label job, and two attempts differ by WorkerId alone."""
    [monitor] = of_kind(monitored, "PodMonitor")
    endpoints = monitor["spec"]["podMetricsEndpoints"]
    assert [one["port"] for one in endpoints] == ["metrics", "as-metrics", "dash-metrics"]
    for endpoint in endpoints:
        assert endpoint["honorLabels"] is True
        assert "metricRelabelings" not in endpoint


def test_the_control_plane_is_scraped_through_its_service(monitored: list[Object]) -> None:
    [monitor] = of_kind(monitored, "ServiceMonitor")
    [endpoint] = monitor["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")
    [service] = of_kind(monitored, "Service")
    assert (
        service["metadata"]["labels"].items() >= monitor["spec"]["selector"]["matchLabels"].items()
    )
    assert [port["name"] for port in service["spec"]["ports"]] == ["http"]


def test_a_queue_gives_this_namespace_what_its_flavors_have(
    rendered: Mapping[str, list[Object]],
) -> None:
    kueue = {
        one["kind"]: one
        for one in of_kind(rendered["rayjob"], "LocalQueue", "ClusterQueue", "ResourceFlavor")
    }
    assert {one["apiVersion"] for one in kueue.values()} == {"kueue.x-k8s.io/v1beta2"}
    assert kueue["LocalQueue"]["spec"] == {"clusterQueue": "rkd"}
    assert kueue["ResourceFlavor"]["spec"] == {"nodeLabels": {"gpu": "h100"}}
    assert kueue["ClusterQueue"]["spec"] == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "rkd-team"}},
        "preemption": {"withinClusterQueue": "LowerPriority"},
        "resourceGroups": [
            {
                "coveredResources": ["cpu", "memory", "nvidia.com/gpu"],
                "flavors": [
                    {
                        "name": "rkd-h100",
                        "resources": [
                            {"name": "cpu", "nominalQuota": "64"},
                            {"name": "memory", "nominalQuota": "512Gi"},
                            {"name": "nvidia.com/gpu", "nominalQuota": "16"},
                        ],
                    }
                ],
            }
        ],
    }


def test_the_quota_of_the_namespace_holds_what_the_groups_can_grow_to(
    rendered: Mapping[str, list[Object]],
) -> None:
    [quota] = of_kind(rendered["prod-gpu"], "ResourceQuota")
    # 4 * 16 + 4 * 16 + 2 * 32 CPUs, 4 * 128 + 4 * 128 + 2 * 512 GiB, 4 * 2 + 4 * 2 + 2 * 8 GPUs
    hard = quota["spec"]["hard"]
    assert int(hard["requests.cpu"]) > 192
    assert int(hard["requests.memory"].removesuffix("Gi")) > 2048
    assert int(hard["requests.nvidia.com/gpu"]) == 32
