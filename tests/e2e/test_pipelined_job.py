"""A job whose generators, scorers and learner ranks, two of each, work at the same time."""

import json
from pathlib import Path

import pytest
from pyarrow import parquet

from rkd_online.metrics.sinks import read_reports
from rkd_online.types import StepReport
from tests.e2e.conftest import Service, spec

STEPS, STALENESS = 6, 2


@pytest.fixture(scope="module")
def folder(service: Service) -> Path:
    share = {"cpus": 0.5}
    changes = {
        "name": "pipelined",
        "rollout": {
            "prompts_per_step": 4,
            "group_size": 4,
            "max_new_tokens": 40,
            "max_staleness": STALENESS,
            "kv_on_update": "keep",
        },
        "resources": {
            "generator": share | {"count": 2},
            "scorer": share | {"count": 2},
            "learner": share | {"ranks": 2},
        },
        "evaluation": {"prompts": 8, "samples": 2},
        "steps": STEPS,
    }
    job = service.client.submit(spec(**changes)).id
    record = service.wait(job, "succeeded", "failed")
    assert record.status == "succeeded", record
    return service.folder(job) / "attempts" / "1"


@pytest.fixture(scope="module")
def reports(folder: Path) -> list[StepReport]:
    return read_reports([folder / "metrics.jsonl"])


def test_no_rollout_is_older_than_the_job_allows_and_some_are_older_than_a_step(
    reports: list[StepReport],
) -> None:
    assert [report.step for report in reports] == list(range(1, STEPS + 1))
    assert reports[0].staleness == 0
    assert 1 <= max(report.staleness for report in reports) <= STALENESS
    for report in reports:
        assert 0 <= report.metrics["rollout/staleness_mean"] <= report.staleness
        assert report.metrics["rollout/stale_groups"] == report.metrics["rollout/late_groups"] == 0


def test_every_group_is_learned_from_once(folder: Path) -> None:
    seen = [
        group
        for step in range(1, STEPS + 1)
        for group in set(table(folder, step).column("group_id").to_pylist())
    ]
    assert sorted(seen) == list(range(4 * STEPS))


def test_every_token_knows_its_version(folder: Path) -> None:
    for step in range(1, STEPS + 1):
        for row in table(folder, step).to_pylist():
            spans = row["weight_versions"]
            assert (spans[0]["start"], spans[-1]["end"]) == (0, len(row["completion_ids"]))
            versions = [span["version"] for span in spans]
            assert versions == sorted(set(versions))
            assert step - 1 - STALENESS <= versions[0] <= versions[-1] <= step - 1


def test_every_swap_is_shown_by_the_probe_on_both_generators(reports: list[StepReport]) -> None:
    assert all(report.metrics["weights/probe_difference"] <= 1e-4 for report in reports)


def test_the_trace_has_all_workers(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "trace.jsonl").read_text().splitlines()]
    workers = {f"{role}:{index}" for role in ("generator", "scorer", "learner") for index in (0, 1)}
    assert set(lines[0]["spans"]) == workers | {"loop"}
    busy = {name for line in lines for name, spans in line["spans"].items() if spans}
    assert busy == workers | {"loop"}


def table(folder: Path, step: int) -> "parquet.Table":
    return parquet.read_table(folder / "rollouts" / f"step-{step:06d}.parquet")
