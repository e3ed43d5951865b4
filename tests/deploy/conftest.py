"""One helm for all tests of the chart, and each scenario rendered once."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.deploy.charts import CHART, Helm, Object, unpack
from tests.deploy.scenarios import SCENARIOS

ALERT = """groups:
  - name: example
    rules:
      - alert: RkdExample
        expr: rkd_database_up == 0
        for: 2m
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.job }} has {{ $value }}"}
"""
DASHBOARD = '{"uid": "rkd-example", "title": "{{job}}", "panels": []}\n'
"""Both hold braces, which are Prometheus' and Grafana's and not helm's."""


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """helm and kubectl."""
    folder = tmp_path_factory.mktemp("programs")
    return dict(zip(("helm", "kubectl"), unpack(folder, "helm", "kubectl"), strict=True))


@pytest.fixture(scope="session")
def helm(programs: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """helm, with a home of its own."""
    return Helm(programs["helm"], tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def rendered(helm: Helm) -> Mapping[str, list[Object]]:
    """The objects of every scenario."""
    return {name: helm.template(values).objects for name, values in SCENARIOS.items()}


@pytest.fixture(params=SCENARIOS)
def objects(request: pytest.FixtureRequest, rendered: Mapping[str, list[Object]]) -> list[Object]:
    """The objects of a scenario, one after the other."""
    return rendered[request.param]


@pytest.fixture(scope="session")
def with_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart with an alert and a dashboard of which the tests know every word."""
    chart = Path(shutil.copytree(CHART, tmp_path_factory.mktemp("chart") / "rkd-online"))
    for folder, file, text in (
        ("alerts", "example.yaml", ALERT),
        ("dashboards", "example.json", DASHBOARD),
    ):
        shutil.rmtree(chart / folder, ignore_errors=True)
        (chart / folder).mkdir()
        (chart / folder / file).write_text(text)
    return chart
