import re
from pathlib import Path

import rkd_online
from rkd_online.metrics import names
from rkd_online.metrics.names import METRICS

NAME = re.compile(r'"([a-z]+/[a-z0-9_]+)"')
STAGES = {name.split("/")[0] for name in METRICS}
BY_ROLE = {
    name
    for role in ("generator", "scorer", "learner")
    for name in (f"throughput/{role}_tokens_per_second", f"idle/{role}_share")
}


def test_the_catalogue_holds_exactly_the_metrics_that_the_code_names() -> None:
    package = Path(rkd_online.__file__).parent
    sources = [path for path in package.rglob("*.py") if path != Path(names.__file__)]
    found = {name for path in sources for name in NAME.findall(path.read_text())}
    assert {name for name in found if name.split("/")[0] in STAGES} == set(METRICS) - BY_ROLE


def test_every_metric_has_a_unit_and_one_sentence() -> None:
    for name, metric in METRICS.items():
        assert metric.unit and metric.meaning.endswith("."), name
