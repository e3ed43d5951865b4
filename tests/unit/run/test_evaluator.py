"""What an attempt measures, on a model whose answers are known; the bundled task and tokenizer."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rkd_online.errors import RecordError
from rkd_online.models.tokenizer import load_tokenizer
from rkd_online.run.evaluator import Evaluator
from rkd_online.run.prompts import PromptStream
from rkd_online.run.setup import JobSetup
from rkd_online.spec import JobSpec
from rkd_online.types import (
    Rollout,
    RolloutGroup,
    SamplingRequest,
    ScoredGroup,
    ScoredRollout,
    VersionSpan,
    logprobs,
    token_ids,
)
from rkd_online.zoo import zoo_path

POLICY = zoo_path("zoo:chain-sum/student")
END = 257
SPEC: dict[str, Any] = {
    "version": 1,
    "name": "measured",
    "policy": {"model": "zoo:chain-sum/student"},
    "task": {"type": "chain_sum"},
    "algorithm": {"type": "grpo"},
    "rollout": {"max_new_tokens": 64},
    "evaluation": {
        "prompts": 6,
        "samples": 4,
        "decoding": ["papers", "greedy"],
        "every": 1,
        "every_prompts": 5,
        "every_samples": 2,
    },
    "steps": 1,
}


class Speaker:
    """Says the answer in even samples, spaced by the sample's number; else it stops short."""

    def __init__(self) -> None:
        self.version = 0
        self.asked: list[SamplingRequest] = []
        self._tokenizer = load_tokenizer(POLICY)

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        self.asked += requests
        for request in requests:
            await asyncio.sleep(0)
            texts = [self._text(request, sample) for sample in range(len(request.seeds))]
            rollouts = tuple(self._rollout(place, text) for place, text in enumerate(texts))
            yield RolloutGroup(request.group_id, request.prompt, rollouts)

    def _text(self, request: SamplingRequest, sample: int) -> str:
        if sample % 2:
            return "<answer>"
        return f"<answer>{request.prompt.answer}{' ' * sample}</answer>"

    def _rollout(self, index: int, text: str) -> Rollout:
        ids = [*self._tokenizer.encode(text, add_special_tokens=False), END]
        spans = (VersionSpan(self.version, 0, len(ids)),)
        return Rollout(index, token_ids(ids), logprobs([-1.0] * len(ids)), spans, "stop")


class Judge:
    """Even samples are right."""

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        raise AssertionError("an evaluation needs no teacher log-probs")

    async def reward(self, group: RolloutGroup) -> ScoredGroup:
        verdicts = [float(rollout.index % 2 == 0) for rollout in group.rollouts]
        scored = tuple(
            ScoredRollout(rollout, verdict, {"verifier": verdict}, verdict, None)
            for rollout, verdict in zip(group.rollouts, verdicts, strict=True)
        )
        return ScoredGroup(group.group_id, group.prompt, scored)


@pytest.fixture
def speaker() -> Speaker:
    return Speaker()


@pytest.fixture
def evaluator(speaker: Speaker, tmp_path: Path) -> Evaluator:
    return evaluator_of(SPEC, speaker, tmp_path)


def evaluator_of(data: dict[str, Any], speaker: Speaker, tmp_path: Path) -> Evaluator:
    spec = JobSpec.model_validate(data)
    ids = token_ids([1])
    setup = JobSetup("job", 1, spec, POLICY, {}, (END,), 256, ids, Path("weights"), "file")
    return Evaluator(setup, PromptStream(setup), Judge(), speaker, tmp_path / "evaluations")


def test_a_model_is_asked_test_prompts_by_every_decoding(
    evaluator: Evaluator, speaker: Speaker
) -> None:
    found = asyncio.run(evaluator.measured("student-before", speaker, version=0))
    asked = [(one.prompt.split, one.temperature, len(one.seeds)) for one in speaker.asked]
    assert asked == [("test", 0.6, 4)] * 6 + [("test", 0.0, 1)] * 6
    assert list(found.decodings) == ["papers", "greedy"]
    assert [found.decodings[one].measurement.pass_at_1.value for one in found.decodings] == [0.5, 1]
    assert found.prompts == tuple(one.prompt.id for one in speaker.asked[:6])


def test_answers_are_read_as_text_with_the_jobs_extractor(
    evaluator: Evaluator, speaker: Speaker
) -> None:
    found = asyncio.run(evaluator.measured("student-before", speaker, version=0)).decodings[
        "papers"
    ]
    assert found.tally.answered == (2,) * 6
    # "<answer>5</answer>" and "<answer>5  </answer>" differ by a space after evening out.
    assert found.tally.solutions == ((1, 1),) * 6
    assert found.measurement.distinct_correct[4].value == 2.0


def test_what_was_measured_is_kept_and_not_measured_again(
    evaluator: Evaluator, speaker: Speaker
) -> None:
    first = asyncio.run(evaluator.measured("teacher", speaker, version=0))
    asked = len(speaker.asked)
    assert (
        asyncio.run(evaluator.measured("teacher", speaker, version=0))
        == evaluator.known("teacher")
        == first
    )
    assert len(speaker.asked) == asked


def test_what_was_measured_of_other_weights_is_measured_again(
    evaluator: Evaluator, speaker: Speaker
) -> None:
    """A job that was given more steps after its student had been measured."""
    speaker.version = 40
    asyncio.run(evaluator.measured("student-after", speaker, version=40))
    speaker.version = 60
    found = asyncio.run(evaluator.measured("student-after", speaker, version=60))
    assert len(speaker.asked) == 2 * 12
    assert {one.weight_version for one in found.decodings.values()} == {60}
    assert evaluator.known("student-after") == found


def test_what_another_version_kept_is_named(evaluator: Evaluator, tmp_path: Path) -> None:
    path = tmp_path / "evaluations" / "student-before.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"pass_at_1": 0.5}))
    with pytest.raises(RecordError, match=r"student-before\.json is no evaluation of this version"):
        evaluator.known("student-before")


def test_validation_asks_each_prompt_by_the_first_decoding(
    evaluator: Evaluator, speaker: Speaker
) -> None:
    assert asyncio.run(evaluator.validate()) == {"validation/pass_at_1": 0.5}
    asked = [(one.prompt.split, one.temperature, len(one.seeds)) for one in speaker.asked]
    assert asked == [("validation", 0.6, 2)] * 5


def test_each_validation_is_kept_under_the_weights_that_answered(
    evaluator: Evaluator, speaker: Speaker
) -> None:
    for version in (20, 40):
        speaker.version = version
        asyncio.run(evaluator.validate())
    first, second = (evaluator.known(f"validation-0000{version}") for version in (20, 40))
    assert [first.model, second.model] == ["validation-000020", "validation-000040"]
    found = second.decodings["papers"]
    assert found.weight_version == 40
    assert {k: one.value for k, one in found.measurement.pass_at_k.items()} == {1: 0.5, 2: 1.0}
    assert set(found.measurement.by_difficulty) == {"3 terms", "4 terms"}
    assert second.asked.split == "validation"


def mixed_spec() -> dict[str, Any]:
    """Sums of two terms, twice as often, by one teacher, sums of four by another."""
    parts = [
        {"name": "short", "weight": 2, "task": {"type": "chain_sum", "max_terms": 2}},
        {
            "name": "long",
            "task": {"type": "chain_sum", "min_terms": 4},
            "rewards": [{"type": "verifier", "extractor": "last_line"}],
            "teacher": {"model": "zoo:chain-sum/student"},
        },
    ]
    teacher = {"model": "zoo:chain-sum/teacher"}
    return SPEC | {"task": {"type": "mixture", "parts": parts}, "teacher": teacher}


def test_parts_are_measured_by_name_beside_the_whole(speaker: Speaker, tmp_path: Path) -> None:
    evaluator = evaluator_of(mixed_spec(), speaker, tmp_path)
    found = asyncio.run(evaluator.measured("student-before", speaker, version=0))
    assert found.tasks == ("short", "short", "long") * 2
    assert found.asked.task == "short + long"
    assert found.asked.extractors == {"short": "answer_tag", "long": "last_line"}
    sampled = found.decodings["papers"].measurement
    assert {name: one[1].n for name, one in sampled.by_task.items()} == {"short": 4, "long": 2}
    assert set(sampled.by_difficulty) == {"short: 2 terms", "long: 4 terms"}
    # "<answer>" alone is an answer to what takes the last line.
    assert found.decodings["papers"].tally.answered == (2, 2, 4) * 2


def test_validation_is_reported_of_each_part(speaker: Speaker, tmp_path: Path) -> None:
    evaluator = evaluator_of(mixed_spec(), speaker, tmp_path)
    assert asyncio.run(evaluator.validate()) == {
        "validation/pass_at_1": 0.5,
        "validation/pass_at_1/short": 0.5,
        "validation/pass_at_1/long": 0.5,
    }


def test_each_teacher_answers_the_prompts_of_its_own_parts(tmp_path: Path) -> None:
    opened: list[str] = []
    speakers = {"short": Speaker(), "long": Speaker()}

    @asynccontextmanager
    async def engine(name: str) -> AsyncIterator[Speaker]:
        opened.append(name)
        yield speakers[name]
        opened.append(f"{name} closed")

    evaluator = evaluator_of(mixed_spec(), Speaker(), tmp_path)
    courses = JobSpec.model_validate(mixed_spec()).courses
    engines = [(course, partial(engine, course.name)) for course in courses]
    found = asyncio.run(evaluator.measured_in_turn("teacher", engines))
    assert opened == ["short", "short closed", "long", "long closed"]
    for name, count in (("short", 4), ("long", 2)):
        asked = speakers[name].asked
        assert {one.prompt.task for one in asked} == {name}
        assert len(asked) == 2 * count  # by two decodings
    student = asyncio.run(evaluator.measured("student-before", Speaker(), version=0))
    assert found.prompts == student.prompts
    assert found.decodings["papers"].tally == student.decodings["papers"].tally
    assert asyncio.run(evaluator.measured_in_turn("teacher", engines)) == found
    assert len(opened) == 4
