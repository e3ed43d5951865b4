"""The plain way: right-padded rows through the model's own forward.

For models that a pack would compute wrongly. Prompts are computed once for each row, and the logits
of all tokens exist at once.
"""

from dataclasses import dataclass
from typing import assert_never

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rkd_online.errors import ModelError
from rkd_online.models.candidates import top_of
from rkd_online.models.layout import Sequences, check_lengths
from rkd_online.models.log_softmax import candidates_of, chosen_logprobs, entropies, wide
from rkd_online.models.packed import joined, sequence_mask
from rkd_online.models.readout import SAMPLED, Given, Readout, Sampled, Top


@dataclass(frozen=True, slots=True)
class PaddedBatch:
    """B rows of L columns; ``mask`` is bool [B, T] over completions.

    Column k of the window, which begins at ``first``, predicts token ``first + 1 + k`` of a row. A
    prompt that is longer than the shortest one delays its completion by ``delays`` columns.
    """

    ids: Tensor
    attention: Tensor
    first: int
    delays: Tensor
    mask: Tensor

    @property
    def targets(self) -> Tensor:
        return self.ids[:, self.first + 1 :]

    def by_row(self, values: Tensor) -> Tensor:
        """From window columns [B, K, ...] to completion tokens [B, T, ...], 0 where padded."""
        assert values.shape[:2] == self.targets.shape, (values.shape, self.targets.shape)
        columns = torch.arange(self.mask.shape[1], device=values.device) + self.delays[:, None]
        rows = torch.arange(len(values), device=values.device)[:, None]
        tokens = values[rows, columns.clamp(max=values.shape[1] - 1)]
        more = (1 for _ in values.shape[2:])
        return tokens.masked_fill(~self.mask.view(*self.mask.shape, *more), 0)

    def by_column(self, values: Tensor) -> Tensor:
        """From completion tokens [B, T, ...] to window columns [B, K, ...], 0 at the others."""
        assert values.shape[:2] == self.mask.shape, (values.shape, self.mask.shape)
        rows, places = self.mask.nonzero(as_tuple=True)
        found = values.new_zeros(*self.targets.shape, *values.shape[2:])
        found[rows, places + self.delays[rows]] = values[rows, places]
        return found


def pad(sequences: Sequences, device: torch.device | str = "cpu") -> PaddedBatch:
    """Padded columns hold id 0, which attention leaves out. Raises ValueError for a prompt or a
    completion without tokens."""
    check_lengths(sequences)
    prompts = [len(prompt) for prompt, _ in sequences]
    rows = [joined(pair) for pair in sequences]
    return PaddedBatch(
        ids=torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device),
        attention=sequence_mask([len(row) for row in rows], device).long(),
        first=min(prompts) - 1,
        delays=torch.tensor(prompts, device=device) - min(prompts),
        mask=sequence_mask([len(completion) for _, completion in sequences], device),
    )


def padded_statistics(
    model: PreTrainedModel,
    batch: PaddedBatch,
    temperature: float,
    dtype: torch.dtype,
    readout: Readout = SAMPLED,
) -> tuple[Tensor, ...]:
    """What is to be read of every completion token, logits divided by ``temperature``: for
    ``Sampled`` log-probs and entropy, two of nats [B, T]. Matrix products are in ``dtype``."""
    halved = dtype == torch.bfloat16
    with torch.autocast(batch.ids.device.type, torch.bfloat16, enabled=halved):
        logits = _logits(model, batch)
    found = _read(readout, logits.flatten(0, 1), batch, temperature)
    return tuple(batch.by_row(one.unflatten(0, batch.targets.shape)) for one in found)


def _read(
    readout: Readout, logits: Tensor, batch: PaddedBatch, temperature: float
) -> tuple[Tensor, ...]:
    """The same by the columns of all rows, [B * K, ...]."""
    targets = batch.targets.flatten()
    match readout:
        case Given():
            ids = batch.by_column(readout.ids).flatten(0, 1)
            candidates, rest = candidates_of(logits, ids, temperature)
            chosen = chosen_logprobs(logits, targets, temperature)
            return chosen, entropies(logits, temperature), candidates, rest
        case Top(count=count, vocabulary=vocabulary):
            return top_of(wide(logits) / temperature, targets, count, vocabulary)
        case Sampled():
            chosen = chosen_logprobs(logits, targets, temperature)
            return chosen, entropies(logits, temperature)
        case _:
            assert_never(readout)


def _logits(model: PreTrainedModel, batch: PaddedBatch) -> Tensor:
    """Logits over the vocabulary V at every column of the window: [B, K, V], as the model's."""
    rows, length = batch.ids.shape
    columns = torch.arange(batch.first, length - 1, device=batch.ids.device)
    logits = model(
        input_ids=batch.ids,
        attention_mask=batch.attention,
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
