"""The teacher's candidates of a batch's rows as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rkd_online.types import CandidateRow, TrainingRow


@dataclass(frozen=True, slots=True)
class CandidateTensors:
    """B rows padded on the right to T: ``ids`` int64 [B, T, k], and ``logprobs`` float32
    [B, T, k + 1] (nats), the last of which is all other tokens together."""

    ids: Tensor
    logprobs: Tensor


def candidate_tensors(rows: Sequence[TrainingRow], device: torch.device) -> CandidateTensors:
    """The rows in their order. ``ValueError`` where one has no candidates."""
    ids, logprobs = [], []
    for row in rows:
        if not isinstance(row, CandidateRow):
            raise ValueError(
                f"rollout {row.index} of group {row.group_id} has no candidates of the teacher, "
                "which teacher_divergence needs"
            )
        found = row.candidates
        ids.append(torch.frombuffer(found.ids, dtype=torch.int32).view(-1, found.count).long())
        told_apart = torch.frombuffer(found.logprobs, dtype=torch.float32).view(-1, found.count)
        rest = torch.frombuffer(found.rest, dtype=torch.float32).unsqueeze(-1)
        logprobs.append(torch.cat([told_apart, rest], -1))
    return CandidateTensors(
        pad_sequence(ids, batch_first=True).to(device),
        pad_sequence(logprobs, batch_first=True).to(device),
    )
