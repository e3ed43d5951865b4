"""What is known of each token before its gradient: kept by row, on whatever rank computed it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rkd_online.learning.ranks import Ranks
from rkd_online.learning.tensors import row_tensors
from rkd_online.objectives import token_advantages
from rkd_online.spec.algorithm import Algorithm
from rkd_online.types import Logprobs, TrainingRow, logprobs


class RowStreams:
    """One float stream [T] for each row of a batch, in the batch's order."""

    def __init__(self, rows: Sequence[TrainingRow]) -> None:
        self._lengths = [len(row.completion_ids) for row in rows]
        self._kept: dict[int, Tensor] = {}

    def keep(self, chosen: Sequence[int], found: Tensor) -> None:
        """Those of some rows, from [B, T] padded on the right."""
        for index, row in zip(chosen, found, strict=True):
            self._kept[index] = row[: self._lengths[index]]

    def merge(self, ranks: Ranks) -> None:
        """Have those of every rank, each of which has kept those of its own rows."""
        mine = {index: row.cpu() for index, row in self._kept.items()}
        self._kept = {index: row for found in ranks.merged(mine) for index, row in found.items()}

    def of(self, chosen: Sequence[int], device: torch.device) -> Tensor:
        """[B, T] of some rows, 0 right of a shorter one."""
        rows = [self._kept[index].to(device) for index in chosen]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

    def streams(self) -> tuple[Logprobs, ...]:
        """Those of every row."""
        return tuple(logprobs(self._kept[index].tolist()) for index in range(len(self._lengths)))


def advantages_of(rows: Sequence[TrainingRow], old: RowStreams, algorithm: Algorithm) -> RowStreams:
    """Every token's advantage, from the old policy's log-probs of the whole batch."""
    everything, device = range(len(rows)), torch.device("cpu")
    tensors = row_tensors(rows, device)
    found = RowStreams(rows)
    found.keep(
        everything,
        token_advantages(
            old_logprobs=old.of(everything, device),
            teacher_logprobs=tensors.teacher_logprobs,
            advantages=tensors.advantages,
            mask=tensors.mask,
            algorithm=algorithm,
            correct=tensors.correct,
            group_ids=torch.tensor([row.group_id for row in rows]),
        ),
    )
    return found
