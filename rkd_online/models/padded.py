"""The plain way: right-padded rows through the model's own forward.

For models that a pack would compute wrongly. Prompts are computed once for each row, and the logits
of all tokens exist at once.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rkd_online.errors import ModelError
from rkd_online.models.layout import Sequences, check_lengths
from rkd_online.models.log_softmax import chosen_logprobs, entropies
from rkd_online.models.packed import joined, sequence_mask


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
        """From window columns [B, K] to completion tokens [B, T], 0 where padded."""
        assert values.shape == self.targets.shape, (values.shape, self.targets.shape)
        columns = torch.arange(self.mask.shape[1], device=values.device) + self.delays[:, None]
        tokens = values.gather(1, columns.clamp(max=values.shape[1] - 1))
        return tokens.masked_fill(~self.mask, 0.0)


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
    model: PreTrainedModel, batch: PaddedBatch, temperature: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Log-probs and entropy of every completion token, logits divided by ``temperature``: two of
    nats [B, T]. Matrix products are taken in ``dtype``."""
    halved = dtype == torch.bfloat16
    with torch.autocast(batch.ids.device.type, torch.bfloat16, enabled=halved):
        logits = _logits(model, batch)
    rows, targets = logits.flatten(0, 1), batch.targets
    chosen = chosen_logprobs(rows, targets.flatten(), temperature)
    entropy = entropies(rows, temperature)
    return batch.by_row(chosen.view(targets.shape)), batch.by_row(entropy.view(targets.shape))


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
