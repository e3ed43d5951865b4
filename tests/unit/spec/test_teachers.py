"""A teacher for each part of a mixture: which is whose, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from rkd_online.errors import SpecError
from rkd_online.spec.check import check_spec, references
from rkd_online.spec.load import load_spec, parse_spec
from rkd_online.spec.plan import describe_plan
from tests.tiny_models import make_tiny_model
from tests.unit.spec.job import job
from tests.unit.spec.mixed import mixed, part

TEACHER = {"model": "zoo:chain-sum/teacher"}
STUDENT = {"model": "zoo:chain-sum/student"}


def courses(data: dict[str, Any]) -> list[tuple[str, str, str | None, list[str]]]:
    """Name, field, model and parts of each."""
    return [
        (
            one.name,
            one.field,
            None if one.teacher is None else one.teacher.model,
            [each.name for each in one.parts],
        )
        for one in parse_spec(data).courses
    ]


def refused(data: dict[str, Any]) -> str:
    with pytest.raises(SpecError) as caught:
        parse_spec(data)
    return str(caught.value)


def test_a_job_with_one_teacher_or_none_has_one_course() -> None:
    assert courses(job()) == [("", "teacher", TEACHER["model"], [""])]
    grpo = {"algorithm": {"type": "grpo"}, "teacher": None}
    assert courses(job(**grpo)) == [("", "teacher", None, [""])]
    assert courses(mixed(part("a"), part("b"))) == [("", "teacher", TEACHER["model"], ["a", "b"])]
    assert courses(mixed(part("a"), part("b"), **grpo)) == [("", "teacher", None, ["a", "b"])]


def test_a_part_takes_the_jobs_teacher_unless_it_names_its_own() -> None:
    data = mixed(part("a"), part("b", teacher=STUDENT), part("c"))
    assert courses(data) == [
        ("a+c", "teacher", TEACHER["model"], ["a", "c"]),
        ("b", "task.parts.1.teacher", STUDENT["model"], ["b"]),
    ]


def test_equal_teachers_are_one_and_those_that_score_otherwise_are_two() -> None:
    by_vllm = STUDENT | {"scorer": {"type": "vllm"}}
    parts = [part("a", teacher=STUDENT), part("b", teacher=by_vllm), part("c", teacher=STUDENT)]
    assert courses(mixed(*parts, teacher=None)) == [
        ("a+c", "task.parts.0.teacher", STUDENT["model"], ["a", "c"]),
        ("b", "task.parts.1.teacher", STUDENT["model"], ["b"]),
    ]
    same = [part("a", teacher=TEACHER), part("b")]
    assert courses(mixed(*same)) == [("", "teacher", TEACHER["model"], ["a", "b"])]


def test_a_part_without_any_teacher_beside_one_with_its_own_is_refused() -> None:
    data = mixed(part("a", teacher=STUDENT), part("b"), teacher=None)
    assert refused(data) == (
        "task.parts.1.teacher is missing while other parts have one: add it, or a teacher of the "
        "job for all parts without"
    )


def test_a_teacher_of_no_part_is_refused() -> None:
    data = mixed(part("a", teacher=STUDENT))
    assert refused(data) == "teacher is that of no part, since each has its own: leave it out"


def test_the_teachers_of_the_parts_are_what_an_algorithm_needs() -> None:
    own = mixed(part("a", teacher=STUDENT), part("b", teacher=TEACHER), teacher=None)
    assert list(parse_spec(own).teachers) == ["task.parts.0.teacher", "task.parts.1.teacher"]
    none = mixed(part("a"), part("b"), teacher=None)
    assert refused(none).startswith("algorithm.type 'rlad' needs a teacher")


def test_a_scorer_of_a_part_that_knows_one_temperature_is_refused_at_another() -> None:
    by_vllm = STUDENT | {"scorer": {"type": "vllm"}}
    data = mixed(part("a"), part("b", teacher=by_vllm), rollout__temperature=0.8)
    assert "does not fit task.parts.1.teacher.scorer.type 'vllm'" in refused(data)


def test_every_teacher_on_gpus_has_as_many_as_it_is_split_over() -> None:
    wide = TEACHER | {"scorer": {"type": "vllm", "tensor_parallel": 2}}
    data = mixed(
        part("a"),
        part("b", teacher=wide),
        resources={
            "device": "cuda",
            "generator": {"gpus": 1},
            "learner": {"gpus": 1},
            "scorer": {"gpus": 1},
        },
    )
    assert refused(data).startswith("tensor_parallel 2 of the scorer needs as many GPUs")


def test_folders_of_teachers_are_taken_from_the_specs_own(tmp_path: Path) -> None:
    data = mixed(part("a"), part("b", teacher={"model": "models/other"}))
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(data))
    found = references(load_spec(tmp_path / "job.yaml"))
    assert found["task.parts.1.teacher"] == str(tmp_path / "models" / "other")


def test_each_teacher_is_compared_with_the_policy(tmp_path: Path) -> None:
    policy, good = (make_tiny_model(tmp_path / name) for name in ("policy", "good"))
    bad = make_tiny_model(tmp_path / "bad")
    content = json.loads((bad / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["A"], vocabulary["B"] = vocabulary["B"], vocabulary["A"]
    (bad / "tokenizer.json").write_text(json.dumps(content))
    small = make_tiny_model(tmp_path / "small")
    config = json.loads((small / "config.json").read_text()) | {"max_position_embeddings": 64}
    (small / "config.json").write_text(json.dumps(config))
    parts = [part(name, teacher={"model": str(tmp_path / name)}) for name in ("bad", "small")]
    data = mixed(part("good"), *parts, policy__model=str(policy), teacher__model=str(good))
    with pytest.raises(SpecError) as caught:
        check_spec(parse_spec(data))
    assert str(caught.value).splitlines() == [
        "rollout.max_new_tokens: 64 leaves no room for a prompt in the task.parts.2.teacher's "
        "context of 64 tokens: lower it",
        "task.parts.1.teacher.model: its tokenizer is not the policy's: token 'A' is id 32 in the "
        "policy, id 33 here (2 differ)",
    ]


def test_the_plan_names_every_teacher_and_counts_its_scorers() -> None:
    resources = {"scorer": {"count": 2, "cpus": 0.5}}
    data = mixed(part("a"), part("b", teacher=STUDENT), part("c"), resources=resources)
    plan = describe_plan(parse_spec(data))
    for fact in (
        "teacher      zoo:chain-sum/teacher, ",
        "log-probs by transformers (a, c)",
        "log-probs by transformers (b)",
        "each part's teacher, policy before and after: 256 test prompts",
        "4 x scorer (2 for each of 2 teachers): 0.5 CPU",
        "together 4 CPU and 0 GPU",
    ):
        assert fact in plan, plan
