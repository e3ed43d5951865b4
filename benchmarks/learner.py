"""The learner's forward and backward pass against a bare one of Hugging Face on the same tokens.

The bare one is given what suits it best: rows of equal lengths, so that it pads nothing, logits of
completion tokens alone, no last token, which predicts nothing, and as many rows at a time as it is
fastest with.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from benchmarks.models import SHAPES, VOCABULARY, make_model
from benchmarks.results import Figure, Goal, Result, Row, result
from rkd_online.batching.pack import micro_batches
from rkd_online.models.completion_model import CompletionModel
from rkd_online.models.memory import keep_freed_memory
from rkd_online.types import TokenIds, token_ids
from rkd_online.zoo import zoo_path

Sequences = list[tuple[TokenIds, TokenIds]]

THREADS = 2
GROUP = 8
ROUNDS = 5
BARE_ROWS = (1, 4, 8, 64, 256)
"""Rows at a time of the bare pass, those up to the batch's; the fastest counts."""
TOKEN_BUDGETS = (2048, 16_384)
"""``optimizer.micro_batch_tokens`` of ours; the fastest counts here too, each for itself."""


@dataclass(frozen=True)
class Size:
    """A model and a batch of whole groups of ``GROUP`` rows."""

    name: str
    build: Callable[[], PreTrainedModel]
    groups: int
    prompt: int
    completion: int


def bundled() -> PreTrainedModel:
    """The student of the quickstart."""
    model = AutoModelForCausalLM.from_pretrained(zoo_path("zoo:chain-sum/student"))
    assert isinstance(model, PreTrainedModel)
    return model


def ten_million() -> PreTrainedModel:
    """Random weights, of which 60 % are the head's."""
    return make_model(SHAPES["10M"], VOCABULARY)


def hundred_million() -> PreTrainedModel:
    """Random weights, of which 20 % are the head's."""
    return make_model(SHAPES["100M"], VOCABULARY)


SIZES = (
    Size("bundled student", bundled, groups=32, prompt=12, completion=28),
    Size("10M", ten_million, groups=4, prompt=128, completion=64),
    Size("100M", hundred_million, groups=1, prompt=128, completion=64),
    Size("100M, prompt-heavy", hundred_million, groups=1, prompt=256, completion=32),
)


def measure() -> Result:
    """Each size without and with shared prompts."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    keep_freed_memory()  # for both, as the learner does
    try:
        rows = [row for size in SIZES for row in _rows(size)]
    finally:
        torch.set_num_threads(threads)
    return result(
        "learner",
        f"The learner's forward and backward pass, float32, {THREADS} threads",
        rows,
    )


def _rows(size: Size) -> list[Row]:
    bare, packed = size.build().eval(), CompletionModel(size.build().eval())
    apart, together = _sequences(size, shared=False), _sequences(size, shared=True)
    counts = [count for count in BARE_ROWS if count <= len(apart)]
    ways = (
        _fastest([partial(_bare, bare, apart, count) for count in counts]),
        _fastest([partial(_packed, packed, apart, budget) for budget in TOKEN_BUDGETS]),
        _fastest([partial(_packed, packed, together, budget) for budget in TOKEN_BUDGETS]),
    )
    times = [[_seconds(way) for way in ways] for _ in range(ROUNDS)]
    alone = statistics.median(base / ours for base, ours, _ in times)
    shared = statistics.median(base / ours for base, _, ours in times)
    bound = _bound(packed.model, size)
    what = f"{size.name}, {len(apart)} rows of {size.prompt} + {size.completion} tokens"
    tokens = len(apart) * (size.prompt + size.completion)
    return [
        Figure(
            what=f"{what}: bare, {ways[0].args[-1]} rows at a time",
            value=tokens / statistics.median(base for base, _, _ in times),
            unit="tokens/s",
        ),
        Goal(
            what=f"{what}: no prompt shared, up to {ways[1].args[-1]} tokens at a time, over bare",
            value=alone,
            unit="",
            bound="at least",
            limit=0.9,
        ),
        Figure(
            what=f"{what}: prompts shared, up to {ways[2].args[-1]} tokens at a time, over bare",
            value=shared,
            unit="",
        ),
        Figure(what=f"{what}: what token counts allow at most", value=bound, unit=""),
        Goal(
            what=f"{what}: share of that",
            value=shared / bound,
            unit="",
            bound="at least",
            limit=0.85,
        ),
    ]


def _fastest(ways: Sequence[partial[None]]) -> partial[None]:
    """The one with the best of three rounds, of which the first warms up."""
    return min(ways, key=lambda way: min(_seconds(way) for _ in range(3)))


def _sequences(size: Size, *, shared: bool) -> Sequences:
    """Random tokens of a vocabulary that all models have; prompts of a group, or of each row."""
    generator = torch.Generator().manual_seed(0)

    def tokens(count: int) -> TokenIds:
        return token_ids(torch.randint(250, (count,), generator=generator).tolist())

    prompts = [tokens(size.prompt) for _ in range(size.groups if shared else size.groups * GROUP)]
    rows = [prompt for prompt in prompts for _ in range(GROUP if shared else 1)]
    return [(prompt, tokens(size.completion)) for prompt in rows]


def _bound(model: PreTrainedModel, size: Size) -> float:
    """How much less is to be multiplied where a group has one prompt: layers see each input token,
    the head each completion token."""
    head = model.get_output_embeddings().weight.numel()
    layers = model.num_parameters() - head
    completions = GROUP * size.completion
    inputs = GROUP * (size.completion - 1)
    whole = layers * (GROUP * size.prompt + inputs) + head * completions
    return float(whole / (layers * (size.prompt + inputs) + head * completions))


def _packed(model: CompletionModel, sequences: Sequences, budget: int) -> None:
    for chosen in micro_batches(sequences, budget):
        batch = model.batch([sequences[row] for row in chosen])
        (model(batch, 1.0).logprobs.sum() / len(sequences)).backward()
    model.zero_grad(set_to_none=True)


def _bare(model: PreTrainedModel, sequences: Sequences, rows: int) -> None:
    ids = torch.tensor([[*prompt, *completion] for prompt, completion in sequences])
    tokens = len(sequences[0][1])
    for part in ids.split(rows):
        logits: Tensor = model(part[:, :-1], use_cache=False, logits_to_keep=tokens).logits
        chosen = part[:, -tokens:].unsqueeze(-1)
        logprobs = torch.log_softmax(logits, -1).gather(-1, chosen)
        (logprobs.sum() / len(sequences)).backward()
    model.zero_grad(set_to_none=True)


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
