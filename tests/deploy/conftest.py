"""One helm for all tests of the chart, and each scenario rendered once."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.deploy.charts import Helm, Object, unpack
from tests.deploy.scenarios import SCENARIOS


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
