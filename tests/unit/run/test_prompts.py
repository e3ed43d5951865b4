"""What each step asks: a function of the step alone, and every prompt once before any comes again.

The files have 7 training prompts, so that a pass over them ends within a step of 2.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from rkd_online.errors import TaskError
from rkd_online.run.prompts import PromptStream
from rkd_online.run.setup import JobSetup
from rkd_online.spec import JobSpec
from rkd_online.spec.training import OptimizerSpec
from rkd_online.tasks.base import Message, Problem
from rkd_online.types import Progress, SamplingRequest, Split, token_ids
from rkd_online.zoo import zoo_path

START = Progress(0, 0, ())

SIZES = {"train": 7, "validation": 3, "test": 2}
STEPS = 7


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> JobSetup:
    folder = tmp_path_factory.mktemp("prompts")
    for place, (split, size) in enumerate(SIZES.items(), start=1):
        lines = [{"prompt": f"{place} + {index}", "answer": index} for index in range(size)]
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    files = {split: str(folder / f"{split}.jsonl") for split in SIZES}
    spec = JobSpec.model_validate(
        {
            "version": 1,
            "name": "prompts",
            "policy": {"model": "zoo:chain-sum/student"},
            "task": {"type": "file"} | files,
            "prompt": {"type": "plain"},
            "algorithm": {"type": "grpo"},
            "rollout": {"prompts_per_step": 2, "group_size": 3, "max_new_tokens": 8},
            "steps": STEPS,
            "seed": 5,
        }
    )
    policy = zoo_path("zoo:chain-sum/student")
    return JobSetup("job", 1, spec, policy, {}, (0,), 64, token_ids([1]), Path("weights"), "file")


@pytest.fixture(scope="module")
def steps(setup: JobSetup) -> list[list[SamplingRequest]]:
    stream = PromptStream(setup)
    return [[stream.request(2 * step + i) for i in range(2)] for step in range(STEPS)]


def test_a_fresh_stream_asks_the_same_for_a_step(
    setup: JobSetup, steps: list[list[SamplingRequest]]
) -> None:
    assert [PromptStream(setup).request(group) for group in (8, 9)] == steps[4]


def test_no_prompt_comes_twice_within_a_pass(steps: list[list[SamplingRequest]]) -> None:
    asked = [request.prompt.index for requests in steps for request in requests]
    assert sorted(asked[:7]) == sorted(asked[7:]) == list(range(7))
    assert asked[:7] != asked[7:]


def test_group_ids_count_on_and_no_two_samples_share_a_seed(
    steps: list[list[SamplingRequest]],
) -> None:
    requests = [request for step in steps for request in step]
    assert [request.group_id for request in requests] == list(range(14))
    seeds = [seed for request in requests for seed in request.seeds]
    assert len(seeds) == len(set(seeds)) == 14 * 3


def test_held_out_prompts_are_the_first_of_their_split_or_all_of_it(setup: JobSetup) -> None:
    stream = PromptStream(setup)
    assert [item.index for item in stream.held_out("validation", 2)] == [0, 1]
    assert [(item.split, item.index) for item in stream.held_out("test", 64)] == [
        ("test", 0),
        ("test", 1),
    ]


def test_a_prompt_that_does_not_fit_is_named_before_its_step(setup: JobSetup) -> None:
    longest = max(len(PromptStream(setup).held_out("test", 100)[0].token_ids), 5)
    assert PromptStream(setup).check(START) == 7 + len(PromptStream(setup).held_out("test", 256))
    short = replace(setup, context_length=8 + longest - 1)
    with pytest.raises(TaskError, match=r"prompt test/\d-.* has \d tokens, with rollout"):
        PromptStream(short).check(START)


def test_a_resumed_run_looks_at_what_is_still_to_come(setup: JobSetup) -> None:
    stream, held_out = PromptStream(setup), len(PromptStream(setup).held_out("test", 256))
    assert stream.check(Progress(STEPS - 1, 2 * STEPS - 2, ())) == 2 + held_out
    assert stream.check(Progress(STEPS - 1, 2 * STEPS + 3, (3, 5))) == 2 + held_out
    assert stream.check(Progress(STEPS, 2 * STEPS, ())) == held_out


class Repeating:
    """A task whose validation problem 1 is training problem 3, and test problem 0 validation 2."""

    name = "repeating"
    texts: Final[dict[Split, list[str]]] = {
        "train": ["a", "a", "b", "c"],
        "validation": ["d", "c", "e"],
        "test": ["e", "f"],
    }

    def size(self, split: Split) -> int:
        return len(self.texts[split])

    def problem(self, split: Split, index: int) -> Problem:
        messages = (Message("user", self.texts[split][index]),)
        return Problem(split, index, messages, answer="0", difficulty="all", task=self.name)

    def verify(self, problem: Problem, answer: str) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("evaluation", "message"),
    [
        ({"prompts": 2, "every": 0}, None),
        ({"prompts": 2, "every": 1, "every_prompts": 1}, None),
        (
            {"prompts": 2, "every": 1, "every_prompts": 2},
            r"prompt train/3-\w+ .* validation/1-\w+:",
        ),
        ({"prompts": 2, "every": 1, "every_prompts": 3}, r"prompt validation/2-\w+ .* test/0-\w+:"),
    ],
)
def test_what_is_measured_is_neither_trained_nor_tuned_on(
    setup: JobSetup,
    monkeypatch: pytest.MonkeyPatch,
    evaluation: dict[str, int],
    message: str | None,
) -> None:
    monkeypatch.setattr("rkd_online.run.prompts.build_task", lambda task: Repeating())
    spec = setup.spec.model_dump(mode="json") | {"evaluation": evaluation}
    stream = PromptStream(replace(setup, spec=JobSpec.model_validate(spec)))
    if message is None:
        stream.check(START)
    else:
        with pytest.raises(TaskError, match=message):
            stream.check(START)


def changed(setup: JobSetup, **fields: object) -> JobSpec:
    return JobSpec.model_validate(setup.spec.model_dump(mode="json") | fields)


def test_a_changed_stream_goes_on_as_one_of_the_changed_job(setup: JobSetup) -> None:
    """With a curriculum: its stages are shares of the steps."""
    levels = [{"levels": [0, 0]}, {"levels": [1, 1]}]
    task = {
        "type": "reasoning_gym", "dataset": "chain_sum", "curriculum": levels,
        "train_size": 20, "validation_size": 4, "test_size": 4,
    }  # fmt: skip
    small = replace(setup, spec=changed(setup, task=task, steps=4), context_length=128)
    longer = changed(small, steps=8)
    stream, fresh = PromptStream(small), PromptStream(replace(small, spec=longer))
    groups = range(16)
    before = [stream.request(group).prompt.id for group in groups]
    stream.follow(longer, Progress(1, 2, ()))
    after = [stream.request(group).prompt.id for group in groups]
    assert after == [fresh.request(group).prompt.id for group in groups]
    # The first stage has 4 groups of 8, then 8 of 16.
    assert after[:4] == before[:4]
    assert set(after[4:8]) != set(before[4:8])


@pytest.mark.parametrize(
    ("steps", "every", "message"),
    [
        (2, 0, r"prompt train/3-\w+ .* test/1-\w+:"),
        (1, 1, r"prompt validation/1-\w+ .* test/1-\w+:"),
    ],
)
def test_what_a_changed_job_asks_in_more_than_before_is_checked_at_once(
    setup: JobSetup, monkeypatch: pytest.MonkeyPatch, steps: int, every: int, message: str
) -> None:
    """Training problem 3, which is test problem 1, comes in step 2."""
    monkeypatch.setattr(Repeating, "texts", Repeating.texts | {"test": ["e", "c"]})
    monkeypatch.setattr("rkd_online.run.prompts.build_task", lambda task: Repeating())
    asked = {"evaluation": {"prompts": 2, "every": 0}, "seed": 2}
    small = replace(setup, spec=changed(setup, steps=1, **asked))
    stream = PromptStream(small)
    assert stream.check(START) == 2 + 2
    cheaper = small.spec.model_copy(update={"optimizer": OptimizerSpec(learning_rate=1e-5)})
    stream.follow(cheaper, START)
    more = changed(small, steps=steps, evaluation={"prompts": 2, "every": every})
    with pytest.raises(TaskError, match=message):
        stream.follow(more, START)
