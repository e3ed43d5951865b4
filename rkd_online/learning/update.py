"""One step in the making: minibatches, micro-batches, gradients, optimizer steps.

Old log-probs are kept by row from the first forward that sees it, before any weight changes; the
reference's by one pass before all gradients, so that the two models' activations never meet.
"""

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from rkd_online.batching.pack import micro_batches, minibatches
from rkd_online.errors import TrainingError
from rkd_online.learning.candidates import candidate_tensors
from rkd_online.learning.old_policy import RowStreams, advantages_of
from rkd_online.learning.ranks import Ranks, whole
from rkd_online.learning.tensors import RowTensors, row_tensors
from rkd_online.models.completion_model import CompletionModel
from rkd_online.models.readout import CandidateStatistics, CompletionStatistics, Given
from rkd_online.objectives import (
    CandidateTokens,
    batch_denominator,
    importance_weights,
    needs_old_first,
    policy_loss,
)
from rkd_online.spec.algorithm import Algorithm, Sft, has_divergence, reference_of
from rkd_online.spec.training import OptimizerSpec
from rkd_online.types import Logprobs, TokenIds, TrainingBatch

MAXIMA: Final = frozenset({"sampler/mismatch_max"})
"""Metrics of which the whole has the largest of its parts, not their sum."""


class PolicyUpdate:
    """Every epoch and minibatch over one batch."""

    def __init__(
        self,
        model: CompletionModel,
        optimizer: torch.optim.Optimizer,
        batch: TrainingBatch,
        *,
        ranks: Ranks,
        algorithm: Algorithm,
        spec: OptimizerSpec,
        reference: CompletionModel | None,
    ) -> None:
        self._model = model
        self._ranks = ranks
        self._optimizer = optimizer
        self._batch = batch
        self._algorithm = algorithm
        self._spec = spec
        self._reference = reference if reference_of(algorithm).type != "none" else None
        self._old = RowStreams(batch.rows)
        self._anchor = RowStreams(batch.rows)
        self._advantages: RowStreams | None = None
        self._passes = spec.epochs * spec.minibatches
        self._old_first = self._passes > 1 or needs_old_first(algorithm)
        self._taken = 0

    def run(self) -> dict[str, float]:
        """All optimizer steps; returns the mean of their metrics, of a maximum the largest, and
        has the same on every rank. A batch without rows changes nothing and has no metrics.

        Raises TrainingError, on every rank, at the first loss or gradient norm that is not finite,
        before that optimizer step; earlier ones of the same batch stay taken.
        """
        shares = minibatches(self._batch.rows, self._spec.minibatches)
        if not shares:
            return {}
        if self._reference is not None:
            self._remember(self._reference, self._anchor)
        if self._old_first:
            self._remember(self._model, self._old)
        if needs_old_first(self._algorithm):
            self._advantages = advantages_of(self._batch.rows, self._old, self._algorithm)
        steps = [self._step(share) for _ in range(self._spec.epochs) for share in shares]
        if not self._old_first:
            self._old.merge(self._ranks)
        return {
            name: total if name in MAXIMA else total / len(steps)
            for name, total in _joined(steps).items()
        }

    def old_logprobs(self) -> tuple[Logprobs, ...]:
        """The old policy's log-probs, aligned with the batch's rows."""
        return self._old.streams()

    @torch.no_grad()
    def _remember(self, model: CompletionModel, streams: RowStreams) -> None:
        """A model's log-probs of the whole batch, before any gradient."""
        micro_batches = self._micro_batches(range(len(self._batch.rows)))
        for chosen, _ in self._ranks.share(micro_batches):
            streams.keep(chosen, self._statistics(model, chosen).logprobs)
        self._ranks.settle(model)
        streams.merge(self._ranks)

    def _step(self, share: Sequence[int]) -> dict[str, float]:
        """One optimizer step on the rows of ``share``."""
        self._optimizer.zero_grad(set_to_none=True)
        micro_batches = self._micro_batches(share)
        lengths = [len(self._batch.rows[index].completion_ids) for index in share]
        mine = [
            self._backward(chosen, counts, lengths)
            for chosen, counts in self._ranks.share(micro_batches)
        ]
        parts = [part for found in self._ranks.merged(mine) for part in found if part is not None]
        for chosen, metrics in parts:
            if not math.isfinite(metrics["policy/loss"]):
                self._refuse("loss", metrics["policy/loss"], chosen)
        norm = float(
            whole(
                torch.nn.utils.clip_grad_norm_(
                    self._model.parameters(), self._spec.max_gradient_norm
                )
            )
        )
        if not math.isfinite(norm):
            self._refuse("gradient norm", norm, share)
        self._optimizer.step()
        self._taken += 1
        return _joined([part for _, part in parts]) | {"optimizer/gradient_norm": norm}

    def _backward(
        self, chosen: Sequence[int], counts: bool, lengths: Sequence[int]
    ) -> tuple[Sequence[int], dict[str, float]] | None:
        """Add the gradient of some rows of a minibatch, whose rows have ``lengths`` tokens, and
        return them with their metrics; nothing of rows that do not count."""
        policy, entropy, candidates = self._policy(chosen)
        tensors = row_tensors([self._batch.rows[index] for index in chosen], policy.device)
        old = self._old_of(chosen, policy)
        weights, sampled = self._sampler_weights(old, tensors, len(lengths))
        loss, metrics = policy_loss(
            policy,
            old_logprobs=old,
            teacher_logprobs=tensors.teacher_logprobs,
            advantages=tensors.advantages,
            mask=tensors.mask,
            algorithm=self._algorithm,
            correct=tensors.correct,
            group_wrong=tensors.group_wrong,
            token_advantages=self._advantages_of(chosen, policy.device),
            importance_weights=weights,
            denominator=batch_denominator(self._algorithm.aggregation, lengths),
            reference_logprobs=self._anchor_of(chosen, policy.device),
            candidates=candidates,
        )
        # Ranks take the mean of their gradients, whose sum is wanted.
        (loss * (self._ranks.count if counts else 0)).backward()
        if not counts:
            return None
        found = {name: float(value) for name, value in metrics.items()} | sampled
        return chosen, found | {
            "policy/loss": float(loss.detach()),
            "policy/entropy": _sequence_mean(entropy, tensors.mask, len(lengths)),
        }

    def _sampler_weights(
        self, old: Tensor, tensors: RowTensors, sequences: int
    ) -> tuple[Tensor | None, dict[str, float]]:
        """Each token's weight for the sampler that was not the old policy, and what is reported of
        it; nothing where another model sampled, from which ``sft`` corrects nothing."""
        if isinstance(self._algorithm, Sft):
            return None, {}
        sampler, mask = tensors.sampler_logprobs, tensors.mask
        weights, capped = importance_weights(old, sampler, mask, self._algorithm.sampler_correction)
        mismatch = (old - sampler).abs().masked_fill(~mask, 0.0)
        return weights, {
            "sampler/mismatch_mean": _sequence_mean(mismatch, mask, sequences),
            "sampler/mismatch_max": float(mismatch.max()),
            "sampler/weight_mean": _sequence_mean(weights, mask, sequences),
            "sampler/capped_share": _sequence_mean(capped, mask, sequences),
        }

    def _policy(self, chosen: Sequence[int]) -> tuple[Tensor, Tensor, CandidateTokens | None]:
        """The policy's log-probs and entropy of some rows, with those of the teacher's candidates
        where the algorithm asks for them."""
        if not has_divergence(self._algorithm):
            return *self._statistics(self._model, chosen), None
        batch = self._model.batch(self._sequences(chosen))
        asked = candidate_tensors([self._batch.rows[index] for index in chosen], batch.ids.device)
        found: CandidateStatistics = self._model(
            batch, self._batch.temperature, readout=Given(asked.ids)
        )
        policy = torch.cat([found.candidates, found.rest.unsqueeze(-1)], -1)
        return found.logprobs, found.entropy, CandidateTokens(policy, asked.logprobs)

    def _old_of(self, chosen: Sequence[int], policy: Tensor) -> Tensor:
        """With one optimizer step on fresh data the policy is the old policy, so that most methods
        need no second forward."""
        if not self._old_first:
            self._old.keep(chosen, policy.detach())
        return self._old.of(chosen, policy.device)

    def _advantages_of(self, chosen: Sequence[int], device: torch.device) -> Tensor | None:
        """Those that were made before the batch was split, if the method wants that."""
        return None if self._advantages is None else self._advantages.of(chosen, device)

    def _anchor_of(self, chosen: Sequence[int], device: torch.device) -> Tensor | None:
        """The reference's log-probs, where the method is held near it."""
        return None if self._reference is None else self._anchor.of(chosen, device)

    def _statistics(self, model: CompletionModel, chosen: Sequence[int]) -> CompletionStatistics:
        batch = model.batch(self._sequences(chosen))
        found: CompletionStatistics = model(batch, self._batch.temperature)
        return found

    def _micro_batches(self, share: Sequence[int]) -> list[list[int]]:
        packed = micro_batches(
            self._sequences(share), self._spec.micro_batch_tokens, packed=self._model.packs
        )
        return [[share[place] for place in places] for places in packed]

    def _sequences(self, chosen: Sequence[int]) -> list[tuple[TokenIds, TokenIds]]:
        rows = [self._batch.rows[index] for index in chosen]
        return [(row.prompt_ids, row.completion_ids) for row in rows]

    def _refuse(self, what: str, value: float, chosen: Sequence[int]) -> None:
        groups = sorted({self._batch.rows[index].group_id for index in chosen})
        raise TrainingError(
            f"the {what} of step {self._batch.step} is {value} on groups {groups}; no weights of "
            f"this step are published. It was minibatch {self._taken + 1} of {self._passes}. Lower "
            "optimizer.learning_rate, or look at the rollouts of these groups for log-probs that "
            "are not finite"
        )


def _joined(parts: Sequence[dict[str, float]]) -> dict[str, float]:
    """Metrics of a whole from those of its parts: sums, of a maximum the largest."""
    return {
        name: (max if name in MAXIMA else sum)(part[name] for part in parts) for name in parts[0]
    }


def _sequence_mean(values: Tensor, mask: Tensor, sequences: int) -> float:
    """Token means of each row, summed and divided by the minibatch's rows, as losses are."""
    means = (values * mask).sum(1) / mask.sum(1).clamp(min=1)
    return float(means.sum()) / sequences
