import re
from pathlib import Path

import rkd_online
from rkd_online.metrics import names
from rkd_online.metrics.names import COEFFICIENT, METRICS, PARTS, metric_of

NAME = re.compile(r'"([a-z]+/[a-z0-9_]+)"')
STAGES = {name.split("/")[0] for name in METRICS}
BY_ROLE = {
    name
    for role in ("generator", "scorer", "learner")
    for name in (
        f"throughput/{role}_tokens_per_second",
        f"idle/{role}_share",
        f"cost/{role}_busy_seconds",
        f"cost/{role}_core_seconds",
    )
} | {"cost/loop_core_seconds"}


def test_the_catalogue_holds_exactly_the_metrics_that_the_code_names() -> None:
    package = Path(rkd_online.__file__).parent
    sources = [path for path in package.rglob("*.py") if path != Path(names.__file__)]
    found = {name for path in sources for name in NAME.findall(path.read_text())}
    assert {name for name in found if name.split("/")[0] in STAGES} == set(METRICS) - BY_ROLE


def test_every_metric_has_a_unit_and_one_sentence() -> None:
    for name, metric in METRICS.items():
        assert metric.unit and metric.meaning.endswith("."), name


def test_a_metric_of_a_part_and_a_coefficient_have_meanings_of_their_own() -> None:
    assert metric_of("reward/mean") == METRICS["reward/mean"]
    assert metric_of("reward/mean/sums-2") == PARTS["reward/mean"]
    assert metric_of("idle/scorer_share/a+b") == PARTS["idle/scorer_share"]
    assert metric_of("phase/index") == METRICS["phase/index"]
    assert metric_of("phase/alpha") == COEFFICIENT
    unknown = ("policy/loss/sums", "reward/mean/", "sampler/kl_teacher", "phase/", "own", "")
    assert [metric_of(name) for name in unknown] == [None] * 6


def test_the_page_of_records_says_of_parts_what_their_metrics_say() -> None:
    text = (Path(rkd_online.__file__).parents[1] / "docs" / "records.md").read_text()
    row = re.compile(r"^\| `([a-z]+/\w+)/<parts?>` \| (.+?) \| (.+) \|$", re.MULTILINE)
    found = {name: (unit, meaning) for name, unit, meaning in row.findall(text)}
    assert found == {name: (one.unit, one.meaning) for name, one in PARTS.items()}
