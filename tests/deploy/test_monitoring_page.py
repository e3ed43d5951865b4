"""The configurations of the page on monitoring are ones that Prometheus takes."""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.test_alerts import ROOT, promtool

PAGE = ROOT / "docs" / "monitoring.md"


def configurations() -> list[dict[str, Any]]:
    """Those of the page, in its order."""
    return [
        yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S)
    ]


def test_prometheus_takes_the_pages_configurations(tmp_path: Path) -> None:
    for number, config in enumerate(configurations()):
        if "rule_files" in config:
            config["rule_files"] = [str(ROOT / path) for path in config["rule_files"]]
            (sd,) = config["scrape_configs"][1]["http_sd_configs"]
            token = tmp_path / "ray-token"
            token.write_text("a token")
            sd["authorization"]["credentials_file"] = str(token)
        file = tmp_path / f"{number}.yml"
        file.write_text(yaml.safe_dump(config))
        assert "SUCCESS" in promtool("check", "config", file)


def test_both_configurations_keep_the_job_of_a_run() -> None:
    by_token, by_file = configurations()
    assert [one["job_name"] for one in by_token["scrape_configs"]] == ["rkd-control-plane", "ray"]
    assert by_token["scrape_configs"][1]["honor_labels"] is True
    # Without the type Prometheus 2.42 sends the token alone, which Ray refuses.
    (discovery,) = by_token["scrape_configs"][1]["http_sd_configs"]
    assert discovery["authorization"]["type"] == "Bearer"
    assert by_file["scrape_configs"][0]["honor_labels"] is True
