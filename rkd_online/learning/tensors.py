"""Rows of a training batch as padded tensors."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rkd_online.models.packed import sequence_mask
from rkd_online.types import Logprobs, TrainingRow


@dataclass(frozen=True, slots=True)
class RowTensors:
    """B rows, completions padded on the right to T.

    ``mask`` is bool [B, T], log-probs are float32 [B, T], ``advantages`` float32 [B], ``correct``
    and ``group_wrong`` bool [B].
    """

    mask: Tensor
    advantages: Tensor
    correct: Tensor
    group_wrong: Tensor
    sampler_logprobs: Tensor
    teacher_logprobs: Tensor | None


def row_tensors(rows: Sequence[TrainingRow], device: torch.device) -> RowTensors:
    """The rows in their order."""
    teacher = [row.teacher_logprobs for row in rows if row.teacher_logprobs is not None]
    return RowTensors(
        mask=sequence_mask([len(row.completion_ids) for row in rows], device),
        advantages=torch.tensor([row.advantage for row in rows], device=device),
        correct=torch.tensor([row.correct for row in rows], device=device),
        group_wrong=torch.tensor([row.group_wrong for row in rows], device=device),
        sampler_logprobs=padded([row.sampler_logprobs for row in rows], device),
        teacher_logprobs=padded(teacher, device) if teacher else None,
    )


def padded(streams: Sequence[Logprobs], device: torch.device) -> Tensor:
    """float32 [B, T] from B streams, 0 right of a shorter one."""
    rows = [torch.frombuffer(stream, dtype=torch.float32) for stream in streams]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device)
