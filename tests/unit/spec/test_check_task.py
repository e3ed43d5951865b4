"""What is wrong with a job's task is known before it is built."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rkd_online.spec import check_task
from rkd_online.spec.check_task import reward_problems, task_problems
from rkd_online.spec.levels import empty_levels
from rkd_online.spec.load import parse_spec
from rkd_online.spec.task import ReasoningGymTask
from tests.unit.spec.job import job
from tests.unit.tasks.packages import install


def problems(**task: Any) -> list[str]:
    return task_problems(parse_spec(job(task=task)).task)


def gym(dataset: str, **config: Any) -> list[str]:
    return problems(type="reasoning_gym", dataset=dataset, config=config)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    record = {"question": "1+1?", "answer": "2", "level": 1}
    (tmp_path / "a.jsonl").write_text("\n" + json.dumps(record) + "\nnot looked at\n")
    pq.write_table(pa.Table.from_pylist([record]), tmp_path / "b.parquet")
    paths = {"train": "a.jsonl", "validation": "b.parquet", "test": "b.parquet"}
    return {split: str(tmp_path / name) for split, name in paths.items()}


def test_files_with_the_columns_are_fine(files: dict[str, str]) -> None:
    fields = {"prompt_field": "question", "difficulty_field": "level"}
    assert problems(type="file", **files, **fields) == []


def test_a_missing_column_is_named_with_those_there_are(files: dict[str, str]) -> None:
    found = problems(type="file", **files, prompt_field="quesiton")
    assert found == [
        f"task.prompt_field: {files[split]} has no column 'quesiton'; did you mean 'question'? "
        "(it has: question, answer, level)"
        for split in ("train", "validation", "test")
    ]


def test_files_that_are_not_there_or_not_readable_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("")
    (tmp_path / "b.parquet").write_text("no parquet")
    found = problems(
        type="file",
        train=str(tmp_path / "a.jsonl"),
        validation=str(tmp_path / "b.parquet"),
        test=str(tmp_path / "c.jsonl"),
    )
    assert found[0] == f"task.train: cannot read {tmp_path}/a.jsonl: it is empty"
    assert found[1].startswith(f"task.validation: cannot read {tmp_path}/b.parquet: ")
    assert found[2] == f"task.test: there is no file {tmp_path}/c.jsonl"
    assert problems(type="file", train="a.jsonl", validation="/b.csv", test="/c") == [
        "task.train: a.jsonl is a relative path: give an absolute one",
        "task.validation: /b.csv ends in '.csv', should be .jsonl or .parquet",
        "task.test: /c ends in '', should be .jsonl or .parquet",
    ]


def test_an_unknown_dataset_is_refused_with_near_names() -> None:
    assert gym("knight_knaves") == [
        "task.dataset: reasoning-gym has no dataset 'knight_knaves'; did you mean 'knights_knaves' "
        "or 'knight_swap'?"
    ]


def test_an_unknown_setting_is_refused_with_near_names() -> None:
    assert gym("knights_knaves", n_peple=3) == [
        "task.config.n_peple: knights_knaves has no such setting; did you mean 'n_people'? "
        "(allowed: depth_constraint, n_people, width_constraint)"
    ]


def test_seed_and_size_are_fields_of_the_task() -> None:
    assert gym("chain_sum", seed=3, size=10) == [
        "task.config.seed: set task.seed instead",
        "task.config.size: set task.train_size, validation_size and test_size instead",
    ]


def test_a_value_that_the_dataset_refuses_is_an_error() -> None:
    (line,) = gym("chain_sum", min_terms=5, max_terms=2)
    assert line == (
        "task.config: chain_sum refuses {'min_terms': 5, 'max_terms': 2}: "
        "max_terms must be >= min_terms"
    )


def test_a_dataset_that_no_seed_repeats_is_refused() -> None:
    assert gym("codeio") == [
        "task.dataset: 'codeio' makes other problems in every process: choose another"
    ]


def test_each_part_of_a_mixture_is_checked() -> None:
    part = {"name": "gcd", "weight": 1, "config": {}}
    assert gym("composite", datasets=[part]) == []
    assert gym("composite", datasets=[]) == [
        "task.config: composite takes a list of datasets and nothing else, found {'datasets': []}"
    ]
    found = gym("composite", datasets=[part | {"name": "gdc"}, part | {"config": {"seed": 1}}, 3])
    assert found == [
        "task.config.datasets.0.name: reasoning-gym has no dataset 'gdc'; did you mean 'gcd'?",
        "task.config.datasets.1.config.seed: set task.seed instead",
        "task.config.datasets.2: found 3, should be a mapping of name, weight above 0 and config",
    ]


def rewards(*parts: dict[str, Any], **changes: Any) -> list[str]:
    return reward_problems(parse_spec(job(rewards=[{"type": "verifier"}, *parts], **changes)))


def test_rewards_that_can_run_are_fine() -> None:
    assert rewards({"type": "finished"}, {"type": "format"}, {"type": "length"}) == []
    assert rewards({"type": "overlong", "soft_tokens": 64}) == []


def test_parts_that_would_share_a_record_are_refused() -> None:
    assert rewards({"type": "format"}, {"type": "format", "tags": "think"}) == [
        "rewards.2: its part would be recorded as 'format', as that of rewards.1 is: leave one of "
        "them out"
    ]


def test_a_penalty_over_more_tokens_than_there_are_is_refused() -> None:
    assert rewards({"type": "overlong", "soft_tokens": 65}) == [
        "rewards.1.soft_tokens: 65 is above rollout.max_new_tokens 64: lower it"
    ]


def test_a_reward_that_is_not_installed_is_refused_with_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"type": "installed", "name": "concise"}
    assert rewards(own) == [
        "rewards.1.name: no installed package has an entry point 'concise' in the group "
        "rkd_online.rewards (none are installed)"
    ]
    install(
        tmp_path, "my_rewards", "", {"polite": "my_rewards:polite", "concision": "my_rewards:c"}
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert rewards(own) == [
        "rewards.1.name: no installed package has an entry point 'concise' in the group "
        "rkd_online.rewards; did you mean 'concision'? (installed are: concision, polite)"
    ]
    assert rewards(own | {"name": "polite"}) == []


def test_a_name_of_two_packages_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("one", "other"):
        install(tmp_path, module, "", {"own": f"{module}:own"})
    monkeypatch.syspath_prepend(tmp_path)
    (line,) = rewards({"type": "installed", "name": "own"})
    assert line in (
        "rewards.1.name: 'own' is one:own and other:own: uninstall one of the packages",
        "rewards.1.name: 'own' is other:own and one:own: uninstall one of the packages",
    )


def test_mathematics_without_its_package_is_refused_where_jobs_run(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A control plane without torch cannot tell what the machines of a job have."""
    task = {"type": "file", "prompt_field": "question", "match": "math", **files}
    assert problems(**task) == []
    there = {"torch", "pyarrow"}
    monkeypatch.setattr(check_task, "find_spec", lambda name: name if name in there else None)
    assert problems(**task) == [
        "task.match: 'math' needs the package math-verify: install it, or choose another"
    ]
    there.remove("torch")
    assert problems(**task) == []


def stages(*levels: tuple[int, int], **fields: Any) -> dict[str, Any]:
    curriculum = [{"levels": list(each)} for each in levels]
    return {"type": "reasoning_gym", "dataset": "chain_sum", "curriculum": curriculum} | fields


def test_levels_that_the_dataset_has_are_fine() -> None:
    assert problems(**stages((0, 1), (1, 3), (10, 10))) == []


def test_levels_that_the_dataset_does_not_have_are_refused() -> None:
    """chain_sum goes from 2 terms at level 0 to 12 at level 10."""
    assert problems(**stages((0, 1), (5, 11))) == [
        "task.curriculum.1.levels: found [5, 11], the curriculum of chain_sum has levels 0 to 10"
    ]


def test_a_dataset_without_a_curriculum_is_refused() -> None:
    part = {"name": "gcd", "weight": 1, "config": {}}
    composite = stages((0, 1), dataset="composite", config={"datasets": [part]})
    assert problems(**composite) == [
        "task.curriculum: composite has none in reasoning-gym: set task.config instead"
    ]


def test_a_setting_of_the_curriculum_cannot_be_set_beside_it() -> None:
    assert problems(**stages((0, 1), config={"min_terms": 3, "allow_negation": True})) == [
        "task.config.min_terms: the levels of task.curriculum set it: leave it out"
    ]


def test_levels_without_problems_are_refused() -> None:
    """reasoning-gym's own: letter_jumble asks for more words than it has from level 2 on."""
    found = problems(**stages((0, 1), (1, 3), dataset="letter_jumble"))
    assert [line.partition("(")[0] for line in found] == [
        f"task.curriculum.1.levels: letter_jumble makes no problem at level {level}: empty range "
        "for randrange"
        for level in (2, 3)
    ]


def test_a_level_that_looks_for_a_problem_without_end_is_refused() -> None:
    task = parse_spec(job(task=stages((0, 4), dataset="puzzle24"))).task
    assert isinstance(task, ReasoningGymTask)
    assert list(empty_levels(task, seconds=3.0)) == [
        "task.curriculum.0.levels: puzzle24 makes no problem within 3 s at level 3"
    ]


def test_a_stage_without_problems_or_groups_is_refused() -> None:
    shares = [{"levels": [0, 0], "share": 1}, {"levels": [1, 1], "share": 99}]
    task = stages(curriculum=shares, train_size=40)
    assert problems(**task) == [
        "task.train_size: 40 problems leave none for task.curriculum.0, whose share is 1 of 100: "
        "raise one of them"
    ]
    spec = parse_spec(job(task=task, steps=2, rollout__prompts_per_step=8))
    assert reward_problems(spec) == [
        "steps: 16 groups leave none for task.curriculum.0, whose share is 1 of 100: raise one of "
        "them"
    ]
