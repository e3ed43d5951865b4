"""Packed batches against the model's own forward of each sequence alone."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, get_args

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from rkd_online.errors import ModelError
from rkd_online.models.completion_model import CompletionModel, check_precision
from rkd_online.models.readout import CandidateStatistics, Given, Top, TopStatistics
from tests.tiny_models import TOKENIZER_SIZE, ModelKind, OtherKind, tiny_causal_lm
from tests.unit.models.plain import Pairs, gradients, pairs, plain, weighted

BATCHES = {
    "siblings": pairs((7, (9, 4, 30, 12))),
    "no shared prompt": pairs((7, (9,)), (12, (3,)), (4, (20,))),
    "prompts and completions of one token": pairs((1, (1, 1, 6)), (1, (1,)), (3, (1, 1))),
    "several groups": pairs((7, (9, 4, 1, 30)), (1, (3, 6)), (40, (60, 2)), (20, (12,)), (9, (5,))),
}
SEVERAL = BATCHES["several groups"]
TEMPERATURE = 0.7


@dataclass(frozen=True)
class Case:
    """The same random weights, to be computed packed and by the model itself."""

    kind: ModelKind | OtherKind
    packed: CompletionModel
    model: PreTrainedModel

    def again(self, **settings: Any) -> CompletionModel:
        return CompletionModel(evaluated(self.kind), **settings)


def evaluated(kind: ModelKind | OtherKind) -> PreTrainedModel:
    model = tiny_causal_lm(kind)
    model.eval()
    return model


@pytest.fixture(scope="module", params=(*get_args(ModelKind), *get_args(OtherKind)))
def case(request: pytest.FixtureRequest) -> Case:
    kind: ModelKind | OtherKind = request.param
    return Case(kind, CompletionModel(evaluated(kind)), evaluated(kind))


def rows(model: CompletionModel, sequences: Pairs) -> list[Tensor]:
    """Log-probs of each completion."""
    found = model(model.batch(sequences), TEMPERATURE).logprobs
    return [row[: len(pair[1])] for row, pair in zip(found, sequences, strict=True)]


def plain_rows(model: PreTrainedModel, sequences: Pairs) -> list[Tensor]:
    return [row for row, _ in plain(model, sequences, TEMPERATURE)]


@pytest.mark.parametrize("sequences", BATCHES.values(), ids=BATCHES)
def test_a_pack_gives_what_each_sequence_gives_alone(case: Case, sequences: Pairs) -> None:
    assert case.packed.packs
    found = case.packed(case.packed.batch(sequences), TEMPERATURE)
    expected = plain(case.model, sequences, TEMPERATURE)
    longest = max(len(completion) for _, completion in sequences)
    assert found.logprobs.shape == found.entropy.shape == (len(sequences), longest)
    assert found.logprobs.dtype == torch.float32 and not found.entropy.requires_grad
    for row, entropy, (logprobs, spread) in zip(*found, expected, strict=True):
        torch.testing.assert_close(row[: len(logprobs)], logprobs, rtol=0, atol=1e-5)
        torch.testing.assert_close(entropy[: len(spread)], spread, rtol=0, atol=1e-5)
        right = [0.0] * (longest - len(logprobs))
        assert row[len(logprobs) :].tolist() == entropy[len(logprobs) :].tolist() == right


@pytest.mark.parametrize("sequences", BATCHES.values(), ids=BATCHES)
def test_every_parameter_has_the_gradient_of_the_sequences_alone(
    case: Case, sequences: Pairs
) -> None:
    weighted(rows(case.packed, sequences)).backward()
    weighted(plain_rows(case.model, sequences)).backward()
    found, expected = gradients(case.packed), gradients(case.model)
    assert max(float(one.abs().max()) for one in expected) > 0.1
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_the_last_token_of_a_prompt_has_the_gradient_of_every_first_token(case: Case) -> None:
    sequences = pairs((7, (5, 3, 8)))
    weighted([row[:1] for row in rows(case.packed, sequences)]).backward()
    weighted([row[:1] for row in plain_rows(case.model, sequences)]).backward()
    for one, other in zip(gradients(case.packed), gradients(case.model), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_a_sibling_does_not_see_another(case: Case) -> None:
    first, (prompt, completion) = pairs((7, (9, 9)))
    with torch.no_grad():
        beside = rows(case.packed, [first, (prompt, completion)])[0]
        changed = rows(case.packed, [first, (prompt, completion[::-1])])[0]
    assert torch.equal(beside, changed)


@pytest.mark.parametrize("cuts", [(3, 4), (1, 7), (2, 5)])
def test_the_parts_of_a_batch_have_its_gradient_in_sum(case: Case, cuts: tuple[int, int]) -> None:
    """Wherever groups are split."""
    weights = torch.linspace(-1, 2, len(SEVERAL))
    means = torch.stack([row.mean() for row in rows(case.packed, SEVERAL)])
    (weights @ means).backward()
    expected = gradients(case.packed)
    for start, end in pairwise([0, *cuts, len(SEVERAL)]):
        means = torch.stack([row.mean() for row in rows(case.packed, SEVERAL[start:end])])
        (weights[start:end] @ means).backward()
    for one, other in zip(gradients(case.packed), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_layers_that_are_computed_again_give_the_same_bits(case: Case) -> None:
    """GPT-2's dropout of 0.1 stays off."""
    found = []
    for model in (case.packed, case.again(activation_checkpointing=True)):
        weighted(rows(model, SEVERAL)).backward()
        found.append(gradients(model))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_layers_that_are_computed_again_keep_less(case: Case) -> None:
    def kept(model: CompletionModel) -> int:
        sizes: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            sizes[tensor.data_ptr()] = tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            model(model.batch(SEVERAL), TEMPERATURE)
        return sum(sizes.values())

    assert kept(case.again(activation_checkpointing=True)) < kept(case.packed) / 2


def test_products_of_16_bits_stay_near_those_of_32(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bfloat16 keeps 8 significant bits, an error of 2**-9 at most. These models' logits over the
    temperature reach about 14, which is 0.03 nats in the last product alone, and the layers before
    it add about as much: 0.1 at the most. It averages out over tokens, and over a gradient."""
    # Any CPU has the arithmetic, if not the speed.
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    halved = case.again(precision="bfloat16")
    found, expected = rows(halved, SEVERAL), rows(case.packed, SEVERAL)
    gap = (torch.cat(found) - torch.cat(expected)).detach().abs()
    assert 1e-4 < float(gap.max()) < 0.1 and float(gap.mean()) < 0.01
    weighted(found).backward()
    weighted(expected).backward()
    pair = (gradients(halved), gradients(case.packed))
    ours, theirs = (torch.cat([one.flatten() for one in side]) for side in pair)
    assert ours.dtype == torch.float32
    assert float((ours - theirs).norm() / theirs.norm()) < 0.05


@pytest.mark.parametrize("group", [(0, (3,)), (3, (2, 0))])
def test_sequences_without_a_prompt_or_a_completion_are_refused(
    case: Case, group: tuple[int, tuple[int, ...]]
) -> None:
    with pytest.raises(ValueError, match=r"prompts of \[.*\] and completions of \[.*\] tokens"):
        case.packed.batch(pairs(group))


def test_bfloat16_is_refused_where_the_cpu_would_be_slower_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    check_precision("float32", "cpu")
    check_precision("bfloat16", "cuda")
    with pytest.raises(ModelError, match=r"set precision.learner and precision.scorer"):
        check_precision("bfloat16", "cpu")


def candidates_of(model: PreTrainedModel, sequences: Pairs, ids: Tensor) -> list[Tensor]:
    """[T, k + 1] of each completion by its own forward: the log-probs at ``ids`` and the rest's."""
    found = []
    for (prompt, completion), own in zip(sequences, ids, strict=True):
        tokens = torch.tensor([[*prompt, *completion]])
        logits = model(input_ids=tokens, use_cache=False).logits[0, len(prompt) - 1 : -1]
        whole = torch.log_softmax(logits / TEMPERATURE, -1)
        asked = own[: len(completion)]
        inside = torch.zeros(whole.shape, dtype=torch.bool).scatter(1, asked, True)
        rest = whole.masked_fill(inside, -torch.inf).logsumexp(-1, keepdim=True)
        found.append(torch.cat([whole.gather(1, asked), rest], -1))
    return found


def some_ids(sequences: Pairs, vocabulary: int = 250) -> Tensor:
    """Three different tokens at each place [B, T, 3]."""
    longest = max(len(completion) for _, completion in sequences)
    draw = torch.Generator().manual_seed(3)
    return torch.rand(len(sequences), longest, vocabulary, generator=draw).argsort()[..., :3]


def rows_of(found: CandidateStatistics | TopStatistics, sequences: Pairs) -> list[Tensor]:
    whole = torch.cat([found.candidates, found.rest.unsqueeze(-1)], -1)
    return [row[: len(pair[1])] for row, pair in zip(whole, sequences, strict=True)]


@pytest.mark.parametrize("sequences", BATCHES.values(), ids=BATCHES)
def test_given_tokens_have_the_log_probs_and_the_gradient_of_the_sequences_alone(
    case: Case, sequences: Pairs
) -> None:
    ids = some_ids(sequences)
    found = case.packed(case.packed.batch(sequences), TEMPERATURE, readout=Given(ids))
    assert isinstance(found, CandidateStatistics)
    expected = candidates_of(case.model, sequences, ids)
    for one, other in zip(rows_of(found, sequences), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    plainly = case.packed(case.packed.batch(sequences), TEMPERATURE)
    assert torch.equal(found.logprobs, plainly.logprobs)
    assert torch.equal(found.entropy, plainly.entropy)
    weighted([row.flatten() for row in rows_of(found, sequences)]).backward()
    weighted([row.flatten() for row in expected]).backward()
    for mine, theirs in zip(gradients(case.packed), gradients(case.model), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


def test_padded_rows_read_what_packed_ones_do(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rkd_online.models.completion_model.packing_fault", lambda model: "tried")
    padded = case.again()
    assert not padded.packs
    ids = some_ids(SEVERAL)
    found, expected = (
        model(model.batch(SEVERAL), TEMPERATURE, readout=Given(ids))
        for model in (padded, case.packed)
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    for side in (found, expected):
        weighted([row.flatten() for row in rows_of(side, SEVERAL)]).backward()
    for mine, theirs in zip(gradients(padded), gradients(case.packed), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)
    best, most = (
        model(model.batch(SEVERAL), TEMPERATURE, readout=Top(count=5, vocabulary=200))
        for model in (padded, case.packed)
    )
    assert torch.equal(best.ids, most.ids)
    for one, other in zip(best, most, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("vocabulary", [TOKENIZER_SIZE, 200])
def test_the_most_probable_tokens_are_those_of_the_sequences_alone(
    case: Case, vocabulary: int
) -> None:
    readout = Top(count=5, vocabulary=vocabulary)
    with torch.no_grad():
        found = case.packed(case.packed.batch(SEVERAL), TEMPERATURE, readout=readout)
        expected = candidates_of(case.model, SEVERAL, found.ids)
    assert isinstance(found, TopStatistics)
    assert int(found.ids.max()) < vocabulary
    for row, own, (_, completion) in zip(rows_of(found, SEVERAL), expected, SEVERAL, strict=True):
        torch.testing.assert_close(row, own, rtol=0, atol=1e-5)
        # Descending, and together with the rest all there is.
        assert bool((row[:, :-1].diff() <= 0).all())
        torch.testing.assert_close(row.exp().sum(-1), torch.ones(len(completion)))
