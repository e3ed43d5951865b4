"""A whole run whose reward fails on some completions: the job goes on and says how many."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rkd_online.metrics.names import METRICS
from tests.integration.run.finished_run import (
    OF_OWN_PROCESSES,
    PROMPTS,
    SIBLINGS,
    Run,
    run,
)
from tests.unit.tasks.packages import install

SOURCE = """
    import os

    def unsteady(problem, completion):
        "Fails by the tokens of the completion, which differ from sibling to sibling."
        if completion.tokens % 5 == 0:
            os._exit(1)
        return float("nan") if completion.tokens % 5 == 1 else 0.5
"""


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two steps of the bundled pair, two optimizer steps in each."""
    packages = tmp_path_factory.mktemp("packages")
    install(packages, "unsteady_rewards", SOURCE, {"unsteady": "unsteady_rewards:unsteady"})
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(packages)
        return run(
            tmp_path_factory.mktemp("failing"),
            "failing",
            policy={"model": "zoo:chain-sum/student"},
            teacher={"model": "zoo:chain-sum/teacher"},
            task={"type": "chain_sum"},
            rewards=[{"type": "verifier"}, {"type": "installed", "name": "unsteady"}],
            algorithm={"type": "rlad"},
            rollout={"max_new_tokens": 40},
            optimizer={"minibatches": 2},
            steps=2,
        )


def expected_failure(row: dict[str, Any]) -> str | None:
    return {
        0: "crash: unsteady: the judging process ended with exit status 1",
        1: "not_finite: unsteady: nan",
    }.get(len(row["completion_ids"]) % 5)


def test_each_rollout_that_failed_is_in_the_record_with_its_cause(failing: Run) -> None:
    rows = [row for step in (1, 2) for row in failing.rows(step)]
    assert len(rows) == 2 * PROMPTS * SIBLINGS
    assert [row["failure"] for row in rows] == [expected_failure(row) for row in rows]
    causes = {str(row["failure"]).partition(":")[0] for row in rows}
    assert causes == {"None", "crash", "not_finite"}


def test_siblings_are_judged_among_themselves(failing: Run) -> None:
    for step in (1, 2):
        groups: dict[int, list[dict[str, Any]]] = {}
        for row in failing.rows(step):
            if row["failure"] is None:
                groups.setdefault(row["group_id"], []).append(row)
        for judged in groups.values():
            rewards = np.array([row["reward"] for row in judged])
            expected = (rewards - rewards.mean()) / (rewards.std() + 1e-6)
            found = [row["advantage"] for row in judged]
            assert found == pytest.approx(expected.tolist(), abs=1e-9)


UNASKED = {"policy/kl_reference", "teacher/divergence", "teacher/top_k_mass"}
"""Of a reference and a divergence, which the job has not."""


def has_pair(rows: list[dict[str, Any]]) -> bool:
    """Whether a correct and an incorrect sibling could both be judged."""
    judged = {(row["group_id"], row["correct"]) for row in rows if row["failure"] is None}
    return any((group, not correct) in judged for group, correct in judged)


def test_failures_are_counted_step_by_step(failing: Run) -> None:
    for step in failing.steps:
        pairs = set() if has_pair(failing.rows(step.step)) else {"teacher/agreement"}
        assert set(step.metrics) == set(METRICS) - OF_OWN_PROCESSES - UNASKED - pairs
        failures = [expected_failure(row) for row in failing.rows(step.step)]
        for cause in ("crash", "not_finite"):
            count = sum(one is not None and one.startswith(cause) for one in failures)
            assert step.metrics[f"reward/failed_{cause}"] == count


def test_the_report_counts_answers_that_could_not_be_judged(failing: Run) -> None:
    measured = failing.report.decodings[failing.report.headline].student_after
    assert 0 < measured.unjudged < measured.samples * measured.pass_at_1.n


def test_no_judging_process_outlives_the_run(failing: Run) -> None:
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    own = [one for one in commands if b"rkd_online.tasks.judging" in one]
    assert failing.report.steps == 2
    assert own == []
