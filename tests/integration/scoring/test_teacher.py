"""Both teachers against a plain Hugging Face forward of each sequence alone, tied and untied."""

import asyncio
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from rkd_online.scoring import teacher
from rkd_online.scoring.teacher import (
    CandidateRequest,
    CandidateScores,
    Teacher,
    TransformersTeacher,
    VllmTeacher,
)
from rkd_online.types import TokenIds, token_ids
from tests.tiny_engines import tiny_engine_settings
from tests.tiny_models import CONTEXT, TOKENIZER_SIZE, ModelKind, make_tiny_model

COUNT = 5
"""Candidates."""
TOLERANCE = 1e-4
"""Nats, float32 against float32."""

Group = tuple[TokenIds, list[TokenIds]]


def random_ids(count: int, seed: int) -> TokenIds:
    return token_ids(random.Random(seed).choices(range(256), k=count))


def group(prompt: int, *completions: int) -> Group:
    """A prompt and its completions with these numbers of tokens."""
    return (
        random_ids(prompt, seed=prompt),
        [random_ids(count, seed=1000 + count) for count in completions],
    )


GROUPS = [group(6, 1, 30, 7, 120), group(1, 12, 1), group(40, CONTEXT - 40, 3)]
"""Siblings of several lengths; completions of one token; a prompt of one; a whole context."""


@dataclass(frozen=True)
class Case:
    """One model three times."""

    folder: Path
    model: PreTrainedModel
    vllm: VllmTeacher
    transformers: TransformersTeacher

    def distributions(self, ids: TokenIds, temperature: float = 1.0) -> Tensor:
        """[n, V] log-probs of what follows each of n tokens."""
        with torch.no_grad():
            logits: Tensor = self.model(torch.tensor([[*ids]])).logits[0].double()
        return torch.log_softmax(logits / temperature, -1)

    def expected(self, group: Group, temperature: float = 1.0) -> list[list[float]]:
        prompt, completions = group
        return [
            [float(table[len(prompt) - 1 + place, token]) for place, token in enumerate(completion)]
            for completion in completions
            for table in [self.distributions(prompt + completion, temperature)]
        ]


@pytest.fixture(scope="module", params=[("qwen3-tied", 1), ("llama-untied", 2)])
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    kind: ModelKind
    shards: Literal[1, 2]
    kind, shards = request.param
    folder = make_tiny_model(tmp_path_factory.mktemp(kind) / "model", kind, shards=shards)
    assert len(list(folder.glob("*.safetensors"))) == shards
    vllm = VllmTeacher(tiny_engine_settings(folder, threads=1, candidates=COUNT))
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    yield Case(folder, plain, vllm, transformers_teacher(folder, temperature=1.0))
    asyncio.run(vllm.close())


def transformers_teacher(folder: Path, temperature: float) -> TransformersTeacher:
    return TransformersTeacher(
        folder, temperature=temperature, device="cpu", threads=1, precision="float32"
    )


def scores(scorer: Teacher, *groups: Group) -> list[list[list[float]]]:
    """What the teacher says of groups that come together, as those of a step do."""

    async def ask() -> list[list[list[float]]]:
        found = await asyncio.gather(*(scorer.completion_logprobs(*group) for group in groups))
        return [[values.tolist() for values in one] for one in found]

    return asyncio.run(ask())


def assert_close(found: list[list[float]], expected: list[list[float]]) -> None:
    assert [len(values) for values in found] == [len(values) for values in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=0, abs=TOLERANCE)


@pytest.mark.parametrize("kind", ["vllm", "transformers"])
def test_every_sampled_token_has_the_hugging_face_logprob(case: Case, kind: str) -> None:
    for one, found in zip(GROUPS, scores(getattr(case, kind), *GROUPS), strict=True):
        assert_close(found, case.expected(one))


@pytest.mark.parametrize("kind", ["vllm", "transformers"])
def test_the_first_value_is_of_the_token_that_follows_the_prompt(case: Case, kind: str) -> None:
    prompt = GROUPS[0][0]
    following = case.distributions(prompt)[-1]
    every_token = [token_ids([token]) for token in range(256)]
    (found,) = scores(getattr(case, kind), (prompt, every_token))
    assert_close(found, [[float(following[token])] for token in range(256)])


def test_the_transformers_teacher_applies_the_rollouts_temperature(case: Case) -> None:
    (found,) = scores(transformers_teacher(case.folder, temperature=0.7), GROUPS[0])
    assert_close(found, case.expected(GROUPS[0], temperature=0.7))


@pytest.mark.parametrize(
    ("budget", "passes"),
    [(164, [160]), (163, [160, 6]), (1, [125, 41])],
    ids=["fits", "too large", "below one sequence"],
)
def test_a_group_beyond_the_budget_gets_the_same_logprobs_in_several_passes(
    case: Case, monkeypatch: pytest.MonkeyPatch, budget: int, passes: list[int]
) -> None:
    """A prompt of 6 and completions of 1, 30, 7 and 120 are 164 tokens, of which the last of each
    completion is no input: 160. Without the completion of one token, which then has the prompt for
    itself, they are as many; the longest alone is 125, and the others are 41."""
    tokens: list[int] = []
    base = case.transformers._model.model.base_model
    forward = base.forward

    def watched(*, input_ids: Tensor, **settings: Any) -> Any:
        tokens.append(input_ids.numel())
        return forward(input_ids=input_ids, **settings)

    monkeypatch.setattr(base, "forward", watched)
    monkeypatch.setattr(teacher, "FORWARD_TOKENS", budget)
    (found,) = scores(case.transformers, GROUPS[0])
    assert_close(found, case.expected(GROUPS[0]))
    assert tokens == passes


def candidates(
    scorer: Teacher, *groups: Group, vocabulary: int = TOKENIZER_SIZE
) -> list[list[CandidateScores]]:
    """The same with candidates."""

    async def ask() -> list[list[CandidateScores]]:
        asked = CandidateRequest(COUNT, vocabulary)
        return await asyncio.gather(
            *(scorer.completion_candidates(prompt, own, asked) for prompt, own in groups)
        )

    return asyncio.run(ask())


def assert_candidates(case: Case, one: Group, found: list[CandidateScores], known: int) -> None:
    """Against the whole distributions, of which the policy has the first ``known`` tokens."""
    prompt, completions = one
    for completion, scores in zip(completions, found, strict=True):
        table = case.distributions(prompt + completion)[len(prompt) - 1 : -1]
        ids = torch.tensor(scores.candidates.ids).view(-1, COUNT)
        told_apart = torch.tensor(scores.candidates.logprobs).view(-1, COUNT).double()
        assert scores.candidates.ids.typecode == "i" and int(ids.max()) < known
        assert len(ids) == len(completion)
        for row, own, values, rest in zip(
            table, ids, told_apart, scores.candidates.rest, strict=True
        ):
            real = values > -math.inf
            best = [int(token) for token in row.topk(COUNT).indices if int(token) < known]
            assert sorted(own[real].tolist()[: len(best)]) == sorted(best)
            assert torch.allclose(values[real], row[own[real]], rtol=0, atol=TOLERANCE)
            left = 1 - float(row[own[real]].exp().sum())
            assert math.exp(rest) == pytest.approx(max(left, 0), abs=1e-5)


@pytest.mark.parametrize("kind", ["vllm", "transformers"])
def test_candidates_are_the_most_probable_tokens_of_hugging_face(case: Case, kind: str) -> None:
    """Prompts and completions of one token and a whole context among them."""
    found = candidates(getattr(case, kind), *GROUPS)
    for one, own in zip(GROUPS, found, strict=True):
        assert_close([scores.logprobs.tolist() for scores in own], case.expected(one))
        assert_candidates(case, one, own, TOKENIZER_SIZE)


def test_a_policy_with_fewer_tokens_gets_candidates_that_it_has(case: Case) -> None:
    """Transformers look further down the ranks; an engine has fewer to give, and says so."""
    few = 128
    for kind, missing in (("transformers", False), ("vllm", True)):
        (found,) = candidates(getattr(case, kind), GROUPS[0], vocabulary=few)
        assert_candidates(case, GROUPS[0], found, few)
        values = [value for scores in found for value in scores.candidates.logprobs]
        assert (-math.inf in values) is missing
