"""A run of two tasks with a teacher each: whose prompts are whose, and who scored them."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from rkd_online.zoo import zoo_path
from tests.integration.run.finished_run import TOLERANCE, Row, Run, logprobs, run

TEACHERS = {"short": "zoo:chain-sum/teacher", "long": "zoo:chain-sum/student"}
TERMS = {"short": {2, 3}, "long": {4}}
STEPS, PER_STEP, SIBLINGS = 3, 6, 4


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Sums of up to three terms by the bundled teacher, half as many of four by the student as it
    was; both engines of the teachers come after that of the policy."""
    short = {"type": "chain_sum", "max_terms": 3}
    long = {"type": "chain_sum", "min_terms": 4}
    return run(
        tmp_path_factory.mktemp("two"),
        "two",
        policy={"model": "zoo:chain-sum/student"},
        teacher={"model": TEACHERS["short"]},
        task={
            "type": "mixture",
            "parts": [
                {"name": "short", "weight": 2, "task": short},
                {
                    "name": "long",
                    "task": long,
                    "teacher": {"model": TEACHERS["long"]},
                    "rewards": [{"type": "verifier"}, {"type": "finished", "weight": 0.5}],
                },
            ],
        },
        algorithm={"type": "rlad"},
        rollout={"prompts_per_step": PER_STEP, "group_size": SIBLINGS, "max_new_tokens": 40},
        optimizer={"learning_rate": 1e-3},
        evaluation={"prompts": 6, "samples": 2, "every": 3, "every_prompts": 6},
        steps=STEPS,
    )


def rows(two: Run) -> list[Row]:
    return [row for step in range(1, STEPS + 1) for row in two.rows(step)]


def of(part: str, found: list[Row]) -> list[Row]:
    return [row for row in found if row["task"] == part]


def distance(row: Row, model: str) -> float:
    """Largest distance of the teacher's recorded log-probs from those of a model alone."""
    alone = logprobs(zoo_path(model), row, 1.0)
    return float((torch.tensor(row["teacher_logprobs"]) - alone).abs().max())


def test_teacher_logprobs_of_each_part_are_those_of_its_own_teacher(two: Run) -> None:
    other = {"short": TEACHERS["long"], "long": TEACHERS["short"]}
    for part, teacher in TEACHERS.items():
        found = of(part, rows(two))
        assert max(distance(row, teacher) for row in found) <= TOLERANCE
        assert max(distance(row, other[part]) for row in found) > 100 * TOLERANCE


def test_every_step_has_the_parts_in_proportion(two: Run) -> None:
    for step in range(1, STEPS + 1):
        counted = Counter(row["task"] for row in two.rows(step))
        assert counted == {"short": 4 * SIBLINGS, "long": 2 * SIBLINGS}


def test_prompts_are_of_their_part_and_each_has_an_id_of_its_own(two: Run) -> None:
    tokenizer = AutoTokenizer.from_pretrained(zoo_path(TEACHERS["short"]))
    texts = {row["prompt_id"]: tokenizer.decode(row["prompt_ids"]) for row in rows(two)}
    assert len(texts) == STEPS * PER_STEP
    for row in rows(two):
        assert texts[row["prompt_id"]].count("+") + 1 in TERMS[row["task"]]


def test_each_part_has_its_own_rewards(two: Run) -> None:
    for row in rows(two):
        parts = dict(row["reward_parts"])
        if row["task"] == "short":
            assert (set(parts), row["reward"]) == ({"verifier"}, parts["verifier"])
        else:
            assert row["reward"] == parts["verifier"] + 0.5 * parts["finished"]


def test_metrics_show_each_part_beside_the_whole(two: Run) -> None:
    for step in two.steps:
        found = two.rows(step.step)
        for part in TEACHERS:
            own = of(part, found)
            assert step.metrics[f"reward/mean/{part}"] == pytest.approx(
                np.mean([row["reward"] for row in own])
            )
            assert step.metrics[f"reward/correct_share/{part}"] == pytest.approx(
                np.mean([row["correct"] for row in own])
            )
            means = [
                np.mean(np.array(row["sampler_logprobs"]) - np.array(row["teacher_logprobs"]))
                for row in own
            ]
            assert step.metrics[f"sampler/kl_teacher/{part}"] == pytest.approx(
                np.mean(means), abs=1e-5
            )
            assert 0 <= step.metrics[f"idle/scorer_share/{part}"] <= 1
        assert step.metrics["reward/mean"] == pytest.approx(
            np.mean([row["reward"] for row in found])
        )
    validated = two.steps[-1].metrics
    whole = [validated[f"validation/pass_at_1/{part}"] for part in ("short", "short", "long")]
    assert validated["validation/pass_at_1"] == pytest.approx(np.mean(whole))


def test_the_report_measures_each_teacher_on_its_own_part(two: Run) -> None:
    measured = two.report.measured
    assert measured.teacher is not None
    for one in (measured.teacher, measured.student_before, measured.student_after):
        assert {part: found[1].n for part, found in one.by_task.items()} == {"short": 4, "long": 2}
    # The teacher of the long sums is the student as it was, asked the same under the same seeds.
    assert measured.teacher.by_task["long"] == measured.student_before.by_task["long"]
    teacher = json.loads((two.folder.evaluations / "teacher.json").read_text())
    student = json.loads((two.folder.evaluations / "student-before.json").read_text())
    assert teacher["prompts"] == student["prompts"]
    assert Path(two.folder.plot).stat().st_size > 10_000


def test_the_trace_names_the_scorers_by_their_teacher(two: Run) -> None:
    first = json.loads(two.folder.attempt(1).trace.read_text().splitlines()[0])
    assert {name for name in first["spans"] if name.startswith("scorer")} == {
        "scorer:short:0",
        "scorer:long:0",
    }
