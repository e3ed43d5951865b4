"""Log-probs of completion tokens under a Hugging Face causal model.

The learner (with gradient) and the teacher scorer (without) share this one forward pass, so that a
ratio of the two never compares different arithmetic.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rkd_online.errors import ModelError
from rkd_online.models.log_softmax import chosen_logprobs, entropies
from rkd_online.types import TokenIds


class CompletionStatistics(NamedTuple):
    """Nats, [B, T]: ``logprobs`` (with gradient where it is enabled), ``entropy`` (without)."""

    logprobs: Tensor
    entropy: Tensor


def completion_logprobs(
    model: PreTrainedModel,
    sequences: Sequence[tuple[TokenIds, TokenIds]],
    temperature: float,
    *,
    pad_id: int,
) -> Tensor:
    """Log-probs of every completion token, given all tokens before it.

    ``sequences`` are B pairs of prompt and completion, each prompt of at least one token. Logits
    are divided by ``temperature`` first. Returns float32 [B, T], T the longest completion, and
    exactly 0 right of a shorter one. Carries gradient where gradients are enabled.
    """
    window = _window(sequences, pad_id, model.device)
    return window.align(_chosen(_logits(model, window), window, temperature))


def completion_statistics(
    model: PreTrainedModel,
    sequences: Sequence[tuple[TokenIds, TokenIds]],
    temperature: float,
    *,
    pad_id: int,
) -> CompletionStatistics:
    """``completion_logprobs``, and of the same forward each token's entropy over the vocabulary."""
    window = _window(sequences, pad_id, model.device)
    logits = _logits(model, window)
    entropy = entropies(logits.flatten(0, 1), temperature).view(logits.shape[:2])
    return CompletionStatistics(
        window.align(_chosen(logits, window, temperature)), window.align(entropy)
    )


def sequence_mask(lengths: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
    """True where a right-padded token is real: bool [B, T], T the largest of B ``lengths``."""
    columns = torch.arange(max(lengths), device=device)
    return columns < torch.tensor(lengths, device=device)[:, None]


class _Window(NamedTuple):
    """Right-padded sequences of B rows and L columns, and the K columns that predict completions.

    Column k of the window predicts token ``first + 1 + k`` of the padded row. A prompt that is
    longer than the shortest one delays its completion by ``delays`` columns.
    """

    ids: Tensor
    attention: Tensor
    first: int
    delays: Tensor
    mask: Tensor

    @property
    def targets(self) -> Tensor:
        return self.ids[:, self.first + 1 :]

    def align(self, values: Tensor) -> Tensor:
        """From window columns [B, K] to completion tokens [B, T], 0 where padded."""
        assert values.shape == self.targets.shape, (values.shape, self.targets.shape)
        columns = torch.arange(self.mask.shape[1], device=values.device) + self.delays[:, None]
        tokens = values.gather(1, columns.clamp(max=values.shape[1] - 1))
        return tokens.masked_fill(~self.mask, 0.0)


def _window(
    sequences: Sequence[tuple[TokenIds, TokenIds]], pad_id: int, device: torch.device
) -> _Window:
    prompts = [len(prompt) for prompt, _ in sequences]
    completions = [len(completion) for _, completion in sequences]
    if min(prompts) == 0 or max(completions) == 0:
        raise ValueError(f"prompts of {prompts} and completions of {completions} tokens")
    rows = [torch.tensor([*prompt, *completion]) for prompt, completion in sequences]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad_id)
    return _Window(
        ids=ids.to(device),
        attention=sequence_mask([len(row) for row in rows], device).long(),
        first=min(prompts) - 1,
        delays=torch.tensor(prompts, device=device) - min(prompts),
        mask=sequence_mask(completions, device),
    )


def _logits(model: PreTrainedModel, window: _Window) -> Tensor:
    """Logits over the vocabulary V at every column of the window: [B, K, V], as the model's."""
    rows, length = window.ids.shape
    columns = torch.arange(window.first, length - 1, device=window.ids.device)
    logits = model(
        input_ids=window.ids,
        attention_mask=window.attention,
        use_cache=False,
        logits_to_keep=columns,
    ).logits
    if logits.shape[:2] != (rows, len(columns)):
        raise ModelError(
            f"{type(model).__name__} ignores logits_to_keep: it returned logits "
            f"{tuple(logits.shape)} where {len(columns)} columns were asked for; use a model whose "
            "forward takes it"
        )
    assert isinstance(logits, Tensor)
    return logits


def _chosen(logits: Tensor, window: _Window, temperature: float) -> Tensor:
    rows, targets = logits.flatten(0, 1), window.targets.flatten()
    return chosen_logprobs(rows, targets, temperature).view(window.targets.shape)
