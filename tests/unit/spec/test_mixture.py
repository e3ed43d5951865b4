"""Several tasks in one job: what holds for each part, and what is refused under which field."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rkd_online.errors import SpecError
from rkd_online.spec.check_task import reward_problems, task_problems
from rkd_online.spec.load import load_spec, parse_spec
from rkd_online.spec.plan import describe_plan
from tests.unit.spec.job import job
from tests.unit.spec.mixed import mixed, part


def refused(data: dict[str, Any]) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_spec(data)
    return str(caught.value).splitlines()


def test_a_part_takes_the_jobs_rewards_unless_it_has_its_own() -> None:
    own = [{"type": "verifier", "extractor": "last_line"}, {"type": "format"}]
    spec = parse_spec(mixed(part("short", 2, 3, weight=2), part("long", rewards=own)))
    short, long = spec.parts
    assert (short.name, short.weight, short.rewards) == ("short", 2.0, spec.rewards)
    assert [reward.type for reward in long.rewards] == ["verifier", "format"]
    assert (short.path, long.path) == ("task.parts.0.", "task.parts.1.")
    assert (spec.part("long"), spec.mixed) == (long, True)


def test_a_job_with_one_task_has_one_part_whatever_its_prompts_are_called() -> None:
    spec = parse_spec(job())
    assert (spec.mixed, len(spec.parts), spec.part("chain_sum")) == (False, 1, spec.parts[0])
    assert (spec.parts[0].task, spec.parts[0].rewards) == (spec.task, spec.rewards)


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ([], "task.parts: found [], should have at least 1 item after validation, not 0"),
        (
            [part("a"), part("b"), part("a")],
            "task.parts.2.name 'a' is that of task.parts.0 too: give each part a name of its own",
        ),
        ([part("a", weight=0)], "task.parts.0.weight: found 0, should be greater than 0"),
        (
            [part("a"), part("b", weight=-1.5)],
            "task.parts.1.weight: found -1.5, should be greater than 0",
        ),
        (
            [part("a") | {"task": {"type": "mixture", "parts": [part("b")]}}],
            "task.parts.0.task.type: found 'mixture', should be 'chain_sum', 'reasoning_gym', "
            "'file'",
        ),
        ([{"name": "a"}], "task.parts.0.task: missing, it has no default"),
        (
            [part("a", 4, 3)],
            "task.parts.0.task.min_terms 4 is above task.parts.0.task.max_terms 3",
        ),
        (
            [part("a"), part("b", rewards=[{"type": "format"}])],
            "task.parts.1.rewards need exactly one of type 'verifier', or of type 'installed' with "
            "verdict true, found 0",
        ),
        (
            [part("a", wieght=2)],
            "task.parts.0.wieght: unknown key (found 2); did you mean 'weight'? (allowed: name, "
            "weight, task, rewards, teacher)",
        ),
    ],
)
def test_what_cannot_be_mixed_is_refused_under_its_field(
    parts: list[dict[str, Any]], line: str
) -> None:
    assert refused(mixed(*parts)) == [line]


def test_a_name_that_no_metric_could_carry_is_refused() -> None:
    (line,) = refused(mixed(part("a b")))
    assert line.startswith("task.parts.0.name: found 'a b', should match pattern")


def test_files_of_a_part_are_taken_from_the_specs_own_folder(tmp_path: Path) -> None:
    files = {split: f"data/{split}.jsonl" for split in ("train", "validation", "test")}
    data = mixed(part("sums"), part("own") | {"task": {"type": "file", **files}})
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(data))
    task = load_spec(tmp_path / "job.yaml").parts[1].task
    assert task.type == "file"
    assert task.train == tmp_path / "data" / "train.jsonl"


def test_what_is_wrong_with_a_parts_task_is_led_by_its_field(tmp_path: Path) -> None:
    files = {split: str(tmp_path / "none.jsonl") for split in ("train", "validation", "test")}
    gym = {"type": "reasoning_gym", "dataset": "knight_knaves"}
    spec = parse_spec(
        mixed(part("a") | {"task": gym}, part("b") | {"task": {"type": "file"} | files})
    )
    found = task_problems(spec.task)
    assert found[0].startswith("task.parts.0.task.dataset: reasoning-gym has no dataset 'knight_kn")
    assert found[1:] == [
        f"task.parts.1.task.{split}: there is no file {tmp_path}/none.jsonl"
        for split in ("train", "validation", "test")
    ]


def test_what_is_wrong_with_a_parts_rewards_is_led_by_its_field() -> None:
    own = [{"type": "verifier"}, {"type": "overlong", "soft_tokens": 65}, {"type": "verifier"}]
    spec = parse_spec(mixed(part("a"), part("b", rewards=own[:2])))
    assert reward_problems(spec) == [
        "task.parts.1.rewards.1.soft_tokens: 65 is above rollout.max_new_tokens 64: lower it"
    ]


def test_a_part_without_groups_or_measured_prompts_is_refused() -> None:
    rare = mixed(
        part("often", weight=99),
        part("rare"),
        steps=1,
        rollout__prompts_per_step=8,
        evaluation={"prompts": 64, "every": 1, "every_prompts": 8},
        checkpoint__every=1,
    )
    assert reward_problems(parse_spec(rare)) == [
        f"{field}: {count} leave none for rare, whose weight (task.parts.1.weight) is 1 of 100: "
        "raise one of them"
        for field, count in (
            ("steps", "8 groups"),
            ("evaluation.prompts", "64 prompts"),
            ("evaluation.every_prompts", "8 prompts"),
        )
    ]


def test_a_curriculum_in_a_part_needs_groups_for_each_of_its_stages() -> None:
    stages = [{"levels": [0, 0], "share": 1}, {"levels": [1, 1], "share": 9}]
    gym = {"type": "reasoning_gym", "dataset": "chain_sum", "curriculum": stages}
    two = mixed(part("sums"), part("gym") | {"task": gym}, steps=1, rollout__prompts_per_step=8)
    assert reward_problems(parse_spec(two)) == [
        "steps: 4 groups of gym leave none for task.parts.1.task.curriculum.0, whose share is 1 of "
        "10: raise one of them"
    ]
    assert reward_problems(parse_spec(two | {"steps": 4})) == []


def test_the_plan_has_a_line_for_each_part_and_for_each_reward() -> None:
    own = [{"type": "verifier", "extractor": "last_line"}]
    plan = describe_plan(
        parse_spec(mixed(part("short", 2, 3, weight=2), part("long"), part("odd", rewards=own)))
    )
    lines = [line.strip() for line in plan.splitlines()]
    assert "task         short, weight 2: chain_sum, 2 to 3 terms" in lines
    assert "long, weight 1: chain_sum, 2 to 4 terms" in lines
    assert "reward       1 x verifier (answer by answer_tag) (short, long)" in lines
    assert "1 x verifier (answer by last_line) (odd)" in lines


def test_the_mixture_that_the_documents_show_is_a_job() -> None:
    page = (Path(__file__).parents[3] / "docs" / "rewards.md").read_text()
    block = page.rpartition("```yaml\n")[2].partition("```")[0]
    spec = parse_spec(job() | yaml.safe_load(block))
    assert [(one.name, one.field) for one in spec.courses] == [
        ("puzzles", "teacher"),
        ("sums", "task.parts.1.teacher"),
    ]
