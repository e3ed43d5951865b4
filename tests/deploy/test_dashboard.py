"""Grafana's dashboard: it is the one that is described, and Grafana can lay it out and fill it."""

import json
import re
from itertools import combinations
from typing import Any

import pytest

from rkd_online.metrics import run_series
from rkd_online.service.telemetry import catalogue
from scripts import grafana

WHOLE = json.loads(grafana.DASHBOARD.read_text())
ROWS = [panel for panel in WHOLE["panels"] if panel["type"] == "row"]
PANELS = [panel for panel in WHOLE["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]


def test_the_dashboard_is_the_one_that_is_described() -> None:
    assert grafana.DASHBOARD.read_text() == grafana.dashboard(grafana.description())


def test_it_is_found_under_one_name_and_asks_for_source_and_job() -> None:
    assert WHOLE["uid"] == "rkd-online"
    assert WHOLE["schemaVersion"] == 41
    source, job = WHOLE["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    assert (job["name"], job["type"]) == ("job", "query")
    assert job["query"] == "label_values(ray_rkd_steps_planned, job)"
    assert job["multi"] and job["includeAll"]
    assert job["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_rows_are_those_that_one_looks_for() -> None:
    assert [row["title"] for row in ROWS] == [
        "Learning",
        "Throughput",
        "Staleness",
        "Weights",
        "Queue and failures",
        "Cost",
    ]


def test_every_panel_says_what_it_shows_and_in_what_unit() -> None:
    for panel in PANELS:
        assert panel["type"] == "timeseries"
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        for one in (panel, *panel["targets"]):
            assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == list("ABCDEFGH"[: len(letters)])


def test_ids_and_titles_are_there_once() -> None:
    ids = [panel["id"] for panel in WHOLE["panels"]]
    assert sorted(ids) == list(range(1, len(ids) + 1))
    titles = [panel["title"] for panel in PANELS]
    assert len(set(titles)) == len(titles)


def test_no_panel_lies_on_another_or_beside_the_page() -> None:
    for panel in WHOLE["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["x"] + place["w"] <= 24
    for one, other in combinations(WHOLE["panels"], 2):
        assert apart(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


def apart(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(
        one["x"] + one["w"] <= other["x"]
        or other["x"] + other["w"] <= one["x"]
        or one["y"] + one["h"] <= other["y"]
        or other["y"] + other["h"] <= one["y"]
    )


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_series_that_there_are_and_lets_no_worker_through(query: str) -> None:
    names = set(re.findall(r"\b(?:ray_)?rkd_\w+", query))
    histograms = [name for name, one in catalogue.SERIES.items() if one.kind == "histogram"]
    known = {f"ray_{name}" for name in run_series.SERIES} | set(catalogue.SERIES)
    assert names
    assert names - known - {f"{name}_bucket" for name in histograms} == set()
    for name in names:
        if name.startswith("ray_"):
            assert re.search(rf"max by \([a-z, ]+\) \({name}{{job=~\"\$job\"", query)
        else:
            assert re.search(rf"(max|min|sum)( by \(\w+\) )?\((\w+\()?{name}", query)


def test_every_series_of_a_run_is_in_a_picture() -> None:
    shown = {name for query in QUERIES for name in re.findall(r"\bray_(rkd_\w+)", query)}
    assert set(run_series.SERIES) - shown == {"rkd_step_timestamp_seconds"}
