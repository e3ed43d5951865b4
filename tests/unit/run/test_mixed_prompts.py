"""What a job with a mixture asks, from its files to its requests."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rkd_online.errors import TaskError
from rkd_online.evaluation.requests import evaluation_requests
from rkd_online.generation.seeds import sample_seed
from rkd_online.run.prompts import PromptStream
from rkd_online.run.setup import JobSetup
from rkd_online.spec import JobSpec
from rkd_online.types import Progress, token_ids
from rkd_online.zoo import zoo_path

START = Progress(0, 0, ())
STEPS, PER_STEP = 6, 4


def write(folder: Path, **splits: list[str]) -> dict[str, Any]:
    """A task of files with these prompts."""
    folder.mkdir()
    for split, prompts in splits.items():
        lines = [json.dumps({"prompt": one, "answer": "1"}) for one in prompts]
        (folder / f"{split}.jsonl").write_text("\n".join(lines))
    return {"type": "file"} | {split: str(folder / f"{split}.jsonl") for split in splits}


def setup_of(first: dict[str, Any], second: dict[str, Any], **changes: Any) -> JobSetup:
    data: dict[str, Any] = {
        "version": 1,
        "name": "prompts",
        "policy": {"model": "zoo:chain-sum/student"},
        "task": {
            "type": "mixture",
            "parts": [
                {"name": "one", "weight": 2, "task": first},
                {"name": "two", "weight": 1, "task": second},
            ],
        },
        "prompt": {"type": "plain"},
        "algorithm": {"type": "grpo"},
        "rollout": {"prompts_per_step": PER_STEP, "group_size": 3, "max_new_tokens": 8},
        "steps": STEPS,
    }
    spec = JobSpec.model_validate(data | changes)
    policy = zoo_path("zoo:chain-sum/student")
    return JobSetup("job", 1, spec, policy, {}, (0,), 64, token_ids([1]), Path("weights"), "file")


@pytest.fixture
def setup(tmp_path: Path) -> JobSetup:
    first = write(
        tmp_path / "one",
        train=[f"{n}+0" for n in range(5)],
        validation=["5+5"],
        test=[f"6+{n}" for n in range(8)],
    )
    second = write(
        tmp_path / "two",
        train=[f"{n}+1+1" for n in range(30)],
        validation=["5+6"],
        test=[f"7+{n}" for n in range(3)],
    )
    return setup_of(first, second)


def test_groups_are_dealt_by_weight_and_named_by_their_part(setup: JobSetup) -> None:
    stream = PromptStream(setup)
    asked = [stream.request(group).prompt for group in range(STEPS * PER_STEP)]
    assert [one.task for one in asked] == ["one", "one", "two"] * 8
    assert {one.difficulty for one in asked} == {"one: all", "two: all"}
    first = [one.index for one in asked if one.task == "one"]
    assert sorted(first[:5]) == sorted(first[5:10]) == [0, 1, 2, 3, 4]
    assert len({one.index for one in asked if one.task == "two"}) == 8


def test_a_resumed_run_asks_what_the_first_would_have(setup: JobSetup) -> None:
    stream = PromptStream(setup)
    expected = [stream.request(group) for group in range(20)]
    assert [PromptStream(setup).request(group) for group in range(7, 20)] == expected[7:]


def test_held_out_prompts_have_the_weights_as_long_as_there_are_any(setup: JobSetup) -> None:
    stream = PromptStream(setup)
    assert [one.task for one in stream.held_out("test", 6)] == ["one", "one", "two"] * 2
    everything = stream.held_out("test", 64)
    assert len(everything) == len({one.id for one in everything}) == 11
    assert stream.check(START) == 5 + 8 + 11


def test_no_two_held_out_prompts_are_answered_under_one_seed(setup: JobSetup) -> None:
    requests = evaluation_requests(
        PromptStream(setup).held_out("test", 64),
        "temperature_1",
        samples=2,
        max_new_tokens=8,
        seed=0,
        sample_seed=sample_seed,
    )
    assert len({seed for request in requests for seed in request.seeds}) == 22


def test_what_one_part_measures_no_other_may_train_on(tmp_path: Path) -> None:
    first = write(tmp_path / "one", train=["1+1", "1+2"], validation=["1+3"], test=["1+4"])
    second = write(tmp_path / "two", train=["2+1", "1+4"], validation=["2+3"], test=["2+4"])
    with pytest.raises(TaskError, match=r"two: prompt train/3-\w+ has the text of test/0-\w+:"):
        PromptStream(setup_of(first, second)).check(START)
    apart = write(tmp_path / "three", train=["2+1"], validation=["2+3"], test=["2+4"])
    assert PromptStream(setup_of(first, apart)).check(START) == 2 + 1 + 2


def test_a_prompt_that_does_not_fit_is_named_with_its_part(setup: JobSetup) -> None:
    short = replace(setup, context_length=10)
    with pytest.raises(TaskError, match=r"prompt test/0-\w+ of one has 3 tokens"):
        PromptStream(short).check(START)
