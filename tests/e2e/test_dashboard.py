"""A real Prometheus, set up as the page on monitoring says, scrapes a real run: every picture of
Grafana's dashboard has data, and every rule can be asked.

The tests share one job that is far from its end; the last of them cancels it.
"""

import json
import math
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from scripts.grafana import DASHBOARD, ROOT
from tests.deploy.test_monitoring_page import configurations
from tests.e2e.conftest import Service, free_port, spec
from tests.prometheus import Prometheus, prometheus

pytestmark = pytest.mark.timeout(600)

SCRAPE_SECONDS = 180
"""Ray takes a process's metrics every 10 s; a validation comes with the second step."""
END_SECONDS = 90
RULES = ROOT / "deploy" / "helm" / "rkd-online" / "alerts" / "*.yaml"


@pytest.fixture(scope="module")
def running(service: Service) -> Iterator[str]:
    changes = {
        "algorithm": {
            "type": "rlad",
            "reference_kl": {"type": "k2", "beta": 0.001},
            "teacher_divergence": {"type": "jsd", "k": 8, "weight": 0.1},
        },
        "rollout": {
            "prompts_per_step": 4,
            "group_size": 4,
            "max_new_tokens": 40,
            "max_staleness": 1,
        },
        "steps": 2000,
        "checkpoint": {"every": 500},
    }
    job = service.client.submit(spec(**changes)).id
    service.wait_for_step(job, 2)
    yield job
    if service.client.get(job).status == "running":
        service.client.cancel(job)


@pytest.fixture(scope="module")
def watching(
    service: Service, running: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """The page's first configuration, with this service's places and a faster pace."""
    config, _ = configurations()
    control, ray = config["scrape_configs"]
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(RULES)]
    control["static_configs"] = [{"targets": [urlsplit(service.url).netloc]}]
    (discovery,) = ray["http_sd_configs"]
    discovery["url"] = service.dashboard + urlsplit(discovery["url"]).path
    discovery["authorization"]["credentials_file"] = str(service.data / "ray-token")
    discovery["refresh_interval"] = "1s"
    folder = tmp_path_factory.mktemp("prometheus") / "by-token"
    with prometheus(config, folder, free_port()) as started:
        yield started


def within(seconds: float, problem: Callable[[], object]) -> object:
    """The last problem, falsy as soon as there is none."""
    deadline = time.monotonic() + seconds
    while (found := problem()) and time.monotonic() < deadline:
        time.sleep(1)
    return found


def test_every_query_of_every_panel_has_data(watching: Prometheus, running: str) -> None:
    def empty() -> list[str]:
        return [
            f"{panel['title']}: {query}"
            for panel, query in queries(running)
            if not any(math.isfinite(value) for value in values(watching.query(query)))
        ]

    assert within(SCRAPE_SECONDS, empty) == []


def test_no_panel_has_a_line_for_each_process(watching: Prometheus, running: str) -> None:
    ours = {"job", "role", "stage", "status", "cause", "outcome", "part", "state"}
    for panel, query in queries(running):
        for series in watching.query(query):
            assert set(series["metric"]) <= ours, panel["title"]


def test_ray_adds_the_labels_that_the_page_of_a_runs_metrics_names(
    watching: Prometheus, running: str
) -> None:
    page = (ROOT / "docs" / "metrics-run.md").read_text()
    (listed,) = re.findall(r"\*\*Ray adds labels\*\*: (.*)\.\s+Aggregate", page)
    (series,) = watching.query(f'ray_rkd_step{{job="{running}"}}')
    named = set(re.findall(r"`(\w+)`", listed))
    assert set(series["metric"]) == named | {"__name__", "instance", "job"}


def test_every_rule_can_be_asked_and_a_run_that_does_well_is_no_alert(
    watching: Prometheus, running: str
) -> None:
    def unasked() -> list[str]:
        groups = watching.get("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return [rule["name"] for rule in rules if rule["health"] != "ok"] or ["none"] * (not rules)

    assert within(SCRAPE_SECONDS, unasked) == []
    firing = watching.query('ALERTS{alertstate="firing", severity!="info"}')
    assert [one["metric"]["alertname"] for one in firing] == []


def test_rays_file_leads_to_the_same_nodes(
    watching: Prometheus, running: str, tmp_path: Path, service: Service
) -> None:
    _, config = configurations()
    config["global"] = {"scrape_interval": "1s"}
    (ray,) = config["scrape_configs"]
    ray["file_sd_configs"] = [{"files": [str(service.discovery_file)]}]
    with prometheus(config, tmp_path / "by-file", free_port()) as started:
        assert within(60, lambda: started.query(f'ray_rkd_step{{job="{running}"}}') == []) is False
        # Nodes are scraped in turn: one that was found a moment ago is still ``unknown``.
        assert within(60, lambda: set(started.targets("ray").values()) ^ {"up"}) == set()
        found = started.targets("ray")
    assert set(found) == set(watching.targets("ray"))
    assert len(found) >= 2


def test_a_runs_series_end_with_it(watching: Prometheus, running: str, service: Service) -> None:
    service.client.cancel(running)
    assert service.wait(running, "cancelled", "failed").status == "cancelled"
    assert within(END_SECONDS, lambda: watching.query(f'{{job="{running}"}}')) == []


def queries(job: str) -> list[tuple[dict[str, Any], str]]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [
        (panel, target["expr"].replace("$job", job))
        for panel in panels
        if panel["type"] != "row"
        for target in panel["targets"]
    ]


def values(series: list[dict[str, Any]]) -> list[float]:
    return [float(one["value"][1]) for one in series]
