"""Batches, learners, and one step derived again from a plain Hugging Face forward."""

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rkd_online.learning.learner import PolicyLearner
from rkd_online.learning.ranks import Ranks
from rkd_online.spec.algorithm import Algorithm, Grpo, Rlad
from rkd_online.spec.phases import Phase
from rkd_online.spec.training import OptimizerSpec
from rkd_online.types import (
    ALONE,
    FIRST_TURN,
    CandidateRow,
    Candidates,
    TrainingBatch,
    TrainingRow,
    Turn,
    candidate_ids,
    logprobs,
    token_ids,
)

TEMPERATURE = 0.7
WIDE = Grpo(clip_low=0.99, clip_high=100.0)
"""Never clips in these tests."""
TOTAL_STEPS = 6
SMOOTH = {"learning_rate": 3e-4, "epsilon": 1e-2, "max_gradient_norm": 1e9}
"""At AdamW's usual epsilon its first step is the gradient's sign, and noise around 0 decides."""


def training_rows(seed: int, groups: int = 4, size: int = 2) -> tuple[TrainingRow, ...]:
    """Rows of unequal lengths whose advantages do not sum to 0."""
    draw = random.Random(seed)
    rows = [
        _row(draw, group, index, tokens=draw.randint(1, 9))
        for group in range(groups)
        for index in range(size)
    ]
    solved = {row.group_id for row in rows if row.correct}
    return tuple(replace(row, group_wrong=row.group_id not in solved) for row in rows)


def _row(draw: random.Random, group: int, index: int, tokens: int) -> TrainingRow:
    return TrainingRow(
        group_id=group,
        index=index,
        prompt_ids=token_ids(draw.randrange(250) for _ in range(draw.randint(1, 6))),
        completion_ids=token_ids(draw.randrange(250) for _ in range(tokens)),
        sampler_logprobs=logprobs(draw.uniform(-6, -4) for _ in range(tokens)),
        teacher_logprobs=logprobs(draw.uniform(-6, -4) for _ in range(tokens)),
        advantage=draw.uniform(-1, 2),
        correct=draw.random() < 0.5,
        group_wrong=False,
    )


def with_candidates(rows: Sequence[TrainingRow], count: int = 3) -> tuple[CandidateRow, ...]:
    """The same rows, with a random teacher's ``count`` of 250 tokens at each place."""
    return tuple(_with_candidates(row, count, seed) for seed, row in enumerate(rows))


def _with_candidates(row: TrainingRow, count: int, seed: int) -> CandidateRow:
    draw = torch.Generator().manual_seed(seed)
    table = torch.log_softmax(3 * torch.randn(len(row.completion_ids), 250, generator=draw), -1)
    values, ids = table.topk(count)
    rest = table.scatter(1, ids, -torch.inf).logsumexp(-1)
    fields = {one.name: getattr(row, one.name) for one in dataclasses.fields(row)}
    candidates = Candidates(
        count,
        candidate_ids(ids.flatten().tolist()),
        logprobs(values.flatten().tolist()),
        logprobs(rest.tolist()),
    )
    return CandidateRow(**fields, candidates=candidates)


def training_batch(
    step: int, rows: Sequence[TrainingRow] | None = None, turn: Turn = FIRST_TURN
) -> TrainingBatch:
    """The batch of a step; its own rows for each step unless given."""
    chosen = training_rows(step) if rows is None else tuple(rows)
    return TrainingBatch(step, chosen, TEMPERATURE, step - 1, turn)


def learner(
    folder: Path,
    algorithm: Algorithm | None = None,
    *,
    phases: Sequence[Phase] = (),
    **optimizer: Any,
) -> PolicyLearner:
    """A learner on one thread; ``optimizer`` changes fields of ``SMOOTH``."""
    return PolicyLearner(
        folder,
        phases=phases or [Phase(algorithm=algorithm or Rlad())],
        optimizer=OptimizerSpec(**(SMOOTH | optimizer)),
        total_steps=TOTAL_STEPS,
        device="cpu",
        threads=1,
        ranks=Ranks(ALONE, device="cpu", timeout_seconds=1.0),
    )


def weights(policy: PolicyLearner) -> dict[str, Tensor]:
    """A copy of the weights."""
    return {name: tensor.clone() for name, tensor in policy.state_tensors()}


def plain_logprobs(model: PreTrainedModel, row: TrainingRow) -> Tensor:
    """Unpadded log-probs [T] of a row's completion at ``TEMPERATURE``."""
    ids = torch.tensor([[*row.prompt_ids, *row.completion_ids]])
    logits: Tensor = model(input_ids=ids).logits[0, len(row.prompt_ids) - 1 : -1] / TEMPERATURE
    chosen = logits.gather(1, torch.tensor(row.completion_ids)[:, None])[:, 0]
    return chosen - logits.logsumexp(-1)


def plain_loss(
    model: PreTrainedModel, rows: Sequence[TrainingRow], old: Sequence[Tensor], *, alpha: float
) -> Tensor:
    """Equations 3 and 4 of arXiv 2602.22495, row by row, with clamp 1 and without the clip; a token
    weighs what the old policy gives it over what the sampler gave it, 2 at the most."""
    total = torch.zeros(())
    for row, before in zip(rows, old, strict=True):
        now = plain_logprobs(model, row)
        log_ratio = alpha * (now - before)
        if alpha < 1:
            teacher = torch.tensor(row.teacher_logprobs)
            log_ratio = log_ratio + (1 - alpha) * (now - teacher).clamp(-1, 1)
        weight = (before - torch.tensor(row.sampler_logprobs)).exp().clamp(max=2.0)
        total = total - (weight * log_ratio.exp() * row.advantage).mean()
    return total / len(rows)
