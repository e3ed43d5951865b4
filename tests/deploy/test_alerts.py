"""Prometheus' rules: well formed, documented, and each fires when it should and not otherwise."""

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from rkd_online.metrics import run_series
from rkd_online.service.telemetry import catalogue
from tests.programs import program

ROOT: Final = Path(__file__).resolve().parents[2]
FILE: Final = ROOT / "deploy" / "helm" / "rkd-online" / "alerts" / "rkd-online.yaml"
PAGE: Final = ROOT / "docs" / "alerts.md"
RULES: Final[list[dict[str, Any]]] = [
    rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]
]
NAMES: Final = [rule["alert"] for rule in RULES]
CASES: Final = yaml.safe_load((Path(__file__).parent / "alert_cases.yaml").read_text())


def promtool(*arguments: str | Path) -> str:
    command = [program("promtool"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_the_rules() -> None:
    assert f"SUCCESS: {len(RULES)} rules found" in promtool("check", "rules", "--lint-fatal", FILE)


def test_every_alert_has_a_severity_and_says_what_is_wrong() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}
        assert rule["annotations"]["description"].endswith("."), rule["alert"]
        assert rule["annotations"]["runbook"] == f"docs/alerts.md#{rule['alert'].lower()}"


def test_the_page_of_alerts_says_of_each_what_to_do() -> None:
    headings = {rule["alert"]: rule["labels"]["severity"] for rule in RULES}
    text = PAGE.read_text()
    found = dict(re.findall(r"^### (\w+)\n\n\*(\w+)\*", text, re.MULTILINE))
    assert found == headings
    sections = re.split(r"^##+ .*\n", text, flags=re.MULTILINE)
    assert len([section for section in sections if "**Do.**" in section]) == len(RULES)


def test_rules_ask_for_series_that_there_are() -> None:
    known = {f"ray_{name}" for name in run_series.SERIES} | set(catalogue.SERIES)
    parts = {f"{name}_{part}" for name in catalogue.SERIES for part in ("bucket", "count")}
    for rule in RULES:
        assert set(re.findall(r"\b(?:ray_)?rkd_\w+", rule["expr"])) - known - parts == set()


def test_every_alert_is_tried_where_it_fires_and_where_it_does_not() -> None:
    assert list(CASES) == NAMES
    for name, cases in CASES.items():
        assert "fires" in cases, name
        assert any(case.startswith("quiet") for case in cases), name


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_fires_when_it_should_and_not_otherwise(name: str, tmp_path: Path) -> None:
    tests = [promtool_test(name, case, told) for case, told in CASES[name].items()]
    whole = {"rule_files": [str(FILE)], "evaluation_interval": "30s", "tests": tests}
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump(whole))
    assert "SUCCESS" in promtool("test", "rules", file)


def promtool_test(name: str, case: str, told: dict[str, Any]) -> dict[str, Any]:
    """Asks which alerts of the name fire; promtool's own question would repeat every text."""
    severity = next(rule["labels"]["severity"] for rule in RULES if rule["alert"] == name)
    labels = told.get("labels", {"severity": severity})
    whole = {"alertname": name, "alertstate": "firing", **labels}
    written = ", ".join(f'{label}="{value}"' for label, value in whole.items())
    alert = {"labels": f"ALERTS{{{written}}}", "value": 1}
    return {
        "name": f"{name} {case}",
        "interval": "1m",
        "input_series": [
            {"series": series, "values": values} for series, values in told["series"].items()
        ],
        "promql_expr_test": [
            {
                "expr": f'ALERTS{{alertname="{name}", alertstate="firing"}}',
                "eval_time": f"{told['at']}m",
                "exp_samples": [alert] if case.startswith("fires") else [],
            }
        ],
    }


def test_what_an_alert_says_is_written_for_people(tmp_path: Path) -> None:
    series = {
        'ray_rkd_stage_seconds{job="j",stage="publish"}': "4x60",
        'ray_rkd_stage_seconds{job="j",stage="swap"}': "8x60",
        'ray_rkd_stage_seconds{job="j",stage="step"}': "40x60",
        'rkd_reconcile_failures_total{part="attempt"}': "0+1x60",
    }
    told = {
        ("RkdSwapSlow", "warning", "job", "j"): (
            "To publish and swap the weights of job j takes 12s, more than a quarter of its step."
        ),
        ("RkdReconcilerFails", "warning", "part", "attempt"): (
            "Looking after an attempt ends in an error, for ten minutes."
        ),
    }
    summaries = {rule["alert"]: rule["annotations"] for rule in RULES}
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {
                "alertname": alert,
                "eval_time": "20m",
                "exp_alerts": [
                    {
                        "exp_labels": {"severity": severity, label: value},
                        "exp_annotations": summaries[alert] | {"description": description},
                    }
                ],
            }
            for (alert, severity, label, value), description in told.items()
        ],
    }
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(FILE)], "tests": [test]}))
    assert "SUCCESS" in promtool("test", "rules", file)
