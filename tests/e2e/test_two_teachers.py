"""A job on Ray whose two parts have a teacher each: actors, log-probs and report."""

from typing import Any

import pytest
import torch
from pyarrow import parquet

from rkd_online.zoo import zoo_path
from tests.e2e.conftest import Service, spec
from tests.integration.run.finished_run import TOLERANCE, logprobs

TEACHERS = {"short": "zoo:chain-sum/teacher", "long": "zoo:chain-sum/student"}
STEPS = 2


class Finished:
    """A job that succeeded."""

    def __init__(self, service: Service) -> None:
        share = {"cpus": 0.5}
        parts = [
            {"name": "short", "task": {"type": "chain_sum", "max_terms": 3}},
            {
                "name": "long",
                "task": {"type": "chain_sum", "min_terms": 4},
                "teacher": {"model": TEACHERS["long"]},
            },
        ]
        changes = {
            "name": "two-teachers",
            "task": {"type": "mixture", "parts": parts},
            "evaluation": {"prompts": 8, "samples": 2},
            "resources": {"generator": share, "learner": share, "scorer": share},
            "steps": STEPS,
        }
        self.job = service.client.submit(spec(**changes)).id
        self.record = service.wait(self.job, "succeeded", "failed")
        assert self.record.status == "succeeded", self.record
        self.report = service.client.report(self.job)
        self.actors = [one["name"] for one in service.actors()]
        self.folder = service.folder(self.job) / "attempts" / "1"

    def rows(self, step: int) -> list[dict[str, Any]]:
        path = self.folder / "rollouts" / f"step-{step:06d}.parquet"
        found: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
        return found


@pytest.fixture(scope="module")
def finished(service: Service) -> Finished:
    return Finished(service)


def test_each_teacher_has_a_scorer_and_answers_in_an_engine_of_its_own(finished: Finished) -> None:
    roles = ("generator:0", "learner:0", "scorer:short:0", "scorer:long:0")
    engines = ("evaluator:0", "evaluator:1")
    own = [name for name in finished.actors if name.startswith(f"rkd:{finished.job}:")]
    assert set(own) == {f"rkd:{finished.job}:{role}" for role in (*roles, *engines)}
    tasks = finished.report["decodings"]["temperature_1"]["teacher"]["by_task"]
    assert {name: one["1"]["n"] for name, one in tasks.items()} == {"short": 4, "long": 4}


def test_each_group_was_scored_by_its_own_teacher(finished: Finished) -> None:
    for step in range(1, STEPS + 1):
        rows = finished.rows(step)
        assert {row["task"] for row in rows} == set(TEACHERS)
        for row in rows:
            alone = logprobs(zoo_path(TEACHERS[row["task"]]), row, 1.0)
            difference = torch.tensor(row["teacher_logprobs"]) - alone
            assert float(difference.abs().max()) <= TOLERANCE
