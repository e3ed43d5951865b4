"""Reading a job: what is right becomes a JobSpec, what is wrong is named, all of it at once."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from rkd_online.errors import SpecError
from rkd_online.spec import JobSpec
from rkd_online.spec.load import load_spec, parse_spec
from tests.unit.spec.job import job

ALGORITHMS = (
    "'grpo', 'gspo', 'cispo', 'rlad', 'opd', 'kdrl', 'kdrl_mask', 'srpo', 'hdpo', 'rlsd', 'topd', "
    "'sft'"
)
AT_LEAST, AT_MOST = " greater than or equal to ", " less than or equal to "


def lines(data: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_spec(data)
    return str(caught.value).splitlines()


def written(folder: Path, text: str, name: str = "job.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    return str(caught.value)


def test_yaml_and_json_give_the_same_job(tmp_path: Path) -> None:
    data = job(optimizer__learning_rate=1e-4)
    from_yaml = load_spec(written(tmp_path, yaml.safe_dump(data)))
    from_json = load_spec(written(tmp_path, json.dumps(data), "job.json"))
    assert from_yaml == from_json == JobSpec.model_validate(data)


def test_a_number_with_an_exponent_is_a_number_in_yaml(tmp_path: Path) -> None:
    text = yaml.safe_dump(job()) + "optimizer: {learning_rate: 1e-4}\n"
    assert load_spec(written(tmp_path, text)).optimizer.learning_rate == 0.0001


def test_a_resolved_job_is_read_back_as_it_was(tmp_path: Path) -> None:
    spec = parse_spec(job(rewards=[{"type": "verifier"}, {"type": "finished", "weight": 0.1}]))
    assert load_spec(written(tmp_path, spec.model_dump_json(), "spec.json")) == spec


def test_relative_paths_start_at_the_spec_file(tmp_path: Path) -> None:
    files = {"train": "a.jsonl", "validation": "../b.jsonl", "test": "/data/c.jsonl"}
    data = job(policy__model="models/student", teacher__model="/models/teacher")
    spec = load_spec(written(tmp_path, yaml.safe_dump(data | {"task": {"type": "file", **files}})))
    assert spec.teacher is not None and spec.task.type == "file"
    assert (spec.policy.model, spec.teacher.model) == (
        str(tmp_path / "models/student"),
        "/models/teacher",
    )
    assert (spec.task.train, spec.task.validation, spec.task.test) == (
        tmp_path / "a.jsonl",
        tmp_path / "../b.jsonl",
        Path("/data/c.jsonl"),
    )


@pytest.mark.parametrize("reference", ["zoo:chain-sum/student", "hf:Qwen/Qwen3-0.6B@main"])
def test_references_that_are_no_folders_stay_as_they_are(tmp_path: Path, reference: str) -> None:
    spec = load_spec(written(tmp_path, yaml.safe_dump(job(policy__model=reference))))
    assert spec.policy.model == reference


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"rollout__group_size": 1}, "rollout.group_size: found 1, should be" + AT_LEAST + "2"),
        ({"steps": 0}, "steps: found 0, should be greater than 0"),
        ({"algorithm__alpha": 1.5}, "algorithm.alpha: found 1.5, should be" + AT_MOST + "1"),
        ({"algorithm__alpha": -0.1}, "algorithm.alpha: found -0.1, should be" + AT_LEAST + "0"),
        ({"algorithm__clip_low": 1}, "algorithm.clip_low: found 1, should be less than 1"),
        ({"correct_at": 1.01}, "correct_at: found 1.01, should be" + AT_MOST + "1"),
        (
            {"rollout__temperature": float("nan")},
            "rollout.temperature: found nan, should be a finite number",
        ),
        (
            {"rollout__group_sise": 8},
            "rollout.group_sise: unknown key (found 8); did you mean 'group_size'? (allowed: "
            "source, prompts_per_step, group_size, temperature, max_prompt_tokens, "
            "max_new_tokens, max_staleness, kv_on_update, dynamic_sampling, truncated, "
            "group_timeout_seconds, timeout_seconds)",
        ),
        (
            {"algorithm__alhpa": 0.5},
            "algorithm.alhpa: unknown key (found 0.5); did you mean 'alpha'? (allowed: "
            "aggregation, clip_low, clip_high, sampler_correction, reference_kl, "
            "teacher_divergence, advantage_epsilon, advantage_scale, type, alpha, "
            "teacher_log_ratio_clamp)",
        ),
        (
            {"algorithm__type": "rald"},
            f"algorithm.type: found 'rald', should be {ALGORITHMS}; did you mean 'rlsd' or 'rlad'?",
        ),
        ({"algorithm": {}}, f"algorithm.type: missing, should be {ALGORITHMS}"),
        ({"task": "chain_sum"}, "task: found 'chain_sum', should be a mapping of field names"),
        ({"rollout": 3}, "rollout: found 3, should be a mapping of field names"),
        (
            {"rewards": [{"type": "verifier", "extractor": "box"}]},
            "rewards.0.extractor: found 'box', should be 'answer_tag', 'boxed', 'last_number', "
            "'last_line' or 'whole_text'; did you mean 'boxed'?",
        ),
        (
            {"task": {"type": "file", "train": 3, "validation": "v.jsonl", "test": "t.jsonl"}},
            "task.train: found 3, should be the path of a file",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_what_is_allowed(
    change: dict[str, Any], expected: str
) -> None:
    assert lines(job(**change)) == [expected]


def test_everything_that_is_wrong_is_listed_at_once() -> None:
    data = job(rollout__group_size=1, seed=-1, polisy={"model": "x"})
    del data["steps"]
    found = lines(data)
    assert [line.partition(":")[0] for line in found] == [
        "rollout.group_size",
        "steps",
        "seed",
        "polisy",
    ]
    assert found[1] == "steps: missing, it has no default"


def test_a_list_of_wrong_entries_is_not_also_called_too_short() -> None:
    found = lines(job(rewards=[{}, {"type": "finised"}]))
    assert [line.partition(":")[0] for line in found] == ["rewards.0.type", "rewards.1.type"]


def test_a_long_value_is_cut_in_the_message() -> None:
    (line,) = lines(job(name="x" * 500))
    assert line.startswith("name: found 'xxxx") and len(line) < 250


def test_a_yaml_mistake_is_named_by_line_and_column(tmp_path: Path) -> None:
    path = written(tmp_path, "version: 1\nname: a: b\nsteps: 3\n")
    assert refused(path) == f"{path}, line 2, column 8: mapping values are not allowed here"


def test_a_json_mistake_is_named_by_line_and_column(tmp_path: Path) -> None:
    path = written(tmp_path, '{"version": 1,\n "name" "x"}', "job.json")
    assert refused(path) == f"{path}, line 2, column 9: Expecting ':' delimiter"


@pytest.mark.parametrize(
    ("name", "text"),
    [("job.yaml", "steps: 3\nname: a\nsteps: 4\n"), ("job.json", '{"steps": 3, "steps": 4}')],
)
def test_a_key_given_twice_is_refused(tmp_path: Path, name: str, text: str) -> None:
    assert "key 'steps' is given twice" in refused(written(tmp_path, text, name))


def test_a_file_that_is_no_spec_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    assert f"cannot read the spec file {missing}" in refused(missing)
    assert "ends in '.toml': use .yaml, .yml or .json" in refused(written(tmp_path, "", "a.toml"))
    listed = written(tmp_path, "- 1\n")
    assert refused(listed) == "a job spec is a mapping of field names, found list"
