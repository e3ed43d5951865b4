"""The learner: training batches in, new weights out."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from rkd_online.batching.pack import micro_batches, minibatches
from rkd_online.errors import TrainingError
from rkd_online.learning.checkpoint import read_state, write_checkpoint
from rkd_online.learning.schedule import learning_rate
from rkd_online.learning.tensors import row_tensors
from rkd_online.models.load import load_causal_lm
from rkd_online.models.logprobs import completion_logprobs, completion_statistics
from rkd_online.objectives import policy_loss
from rkd_online.spec.algorithm import Algorithm
from rkd_online.spec.training import OptimizerSpec
from rkd_online.types import (
    Logprobs,
    TokenIds,
    TrainingBatch,
    TrainingRow,
    UpdateResult,
    WeightVersion,
    logprobs,
)

PAD_ID = 0
"""Fills padded columns, which attention and losses leave out: any id of the vocabulary does."""


class PolicyLearner:
    """A policy in float32 and its AdamW."""

    def __init__(
        self,
        model: Path,
        *,
        algorithm: Algorithm,
        optimizer: OptimizerSpec,
        total_steps: int,
        device: str,
        threads: int,
    ) -> None:
        # Without effect beside an in-process vLLM, which replaces it: one thread there.
        torch.set_num_threads(threads)
        self.model = load_causal_lm(model, dtype=torch.float32, device=device)
        self.version: WeightVersion = 0
        self._source = model
        self._algorithm = algorithm
        self._spec = optimizer
        self._total_steps = total_steps
        self._device = device
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=optimizer.learning_rate,
            betas=optimizer.betas,
            eps=optimizer.epsilon,
            weight_decay=optimizer.weight_decay,
        )

    def update(self, batch: TrainingBatch) -> UpdateResult:
        """One step: every epoch and minibatch of ``batch``.

        Raises TrainingError at the first loss or gradient that is not finite, before that optimizer
        step. The version then stays as it was and nothing may be published: earlier minibatches of
        the same step may have been taken.
        """
        if batch.step != self.version + 1:
            raise TrainingError(f"step {batch.step} came while the policy is at {self.version}")
        rate = learning_rate(batch.step, self._spec, self._total_steps)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        update = _Update(self, batch)
        metrics = update.run()
        self.version = batch.step
        return UpdateResult(
            self.version, metrics | {"optimizer/learning_rate": rate}, update.old_logprobs()
        )

    def state_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every parameter by its Hugging Face name; a tied head is its embedding and comes once."""
        for name, parameter in self.model.named_parameters():
            yield name, parameter.detach()

    @torch.no_grad()
    def probe(self, ids: TokenIds) -> Logprobs:
        """Log-probs at temperature 1 of tokens 1 to n-1 of n."""
        row = completion_logprobs(self.model, [(ids[:1], ids[1:])], 1.0, pad_id=PAD_ID)[0]
        return logprobs(row.tolist())

    def save(self, folder: Path, progress: dict[str, int]) -> None:
        """Write a checkpoint, whole or not at all."""
        state = {"version": self.version, "optimizer": self._optimizer.state_dict()}
        write_checkpoint(
            folder, self.model, self._source, state, progress | {"version": self.version}
        )

    def restore(self, folder: Path) -> WeightVersion:
        """Continue from a checkpoint; returns its version."""
        model = load_causal_lm(folder, dtype=torch.float32, device=self._device)
        self.model.load_state_dict(model.state_dict())
        state = read_state(folder)
        self._optimizer.load_state_dict(state["optimizer"])
        self.version = state["version"]
        return self.version


class _Update:
    """One step in the making."""

    def __init__(self, learner: PolicyLearner, batch: TrainingBatch) -> None:
        self._learner = learner
        self._spec = learner._spec
        self._batch = batch
        self._old: dict[int, Tensor] = {}
        self._passes = self._spec.epochs * self._spec.minibatches

    def run(self) -> dict[str, float]:
        """All optimizer steps; returns the mean of their metrics."""
        shares = minibatches(self._batch.rows, self._spec.minibatches)
        if self._passes > 1:
            self._remember_old()
        steps = [self._step(share) for _ in range(self._spec.epochs) for share in shares]
        return {name: sum(step[name] for step in steps) / len(steps) for name in steps[0]}

    def old_logprobs(self) -> tuple[Logprobs, ...]:
        """The old policy's log-probs, aligned with the batch's rows."""
        return tuple(logprobs(self._old[index].tolist()) for index in range(len(self._batch.rows)))

    @torch.no_grad()
    def _remember_old(self) -> None:
        for chosen in self._micro_batches(range(len(self._batch.rows))):
            tensors = row_tensors([self._batch.rows[i] for i in chosen], self._learner._device)
            found = completion_logprobs(
                self._learner.model, tensors.sequences, self._batch.temperature, pad_id=PAD_ID
            )
            self._keep(chosen, found)

    def _step(self, share: Sequence[int]) -> dict[str, float]:
        """One optimizer step on the rows of ``share``."""
        learner = self._learner
        learner._optimizer.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        for chosen in self._micro_batches(share):
            for name, value in self._backward(chosen, sequences=len(share)).items():
                sums[name] = (
                    max(sums.get(name, 0.0), value)
                    if name.endswith("_max")
                    else (sums.get(name, 0.0) + value)
                )
        norm = torch.nn.utils.clip_grad_norm_(
            learner.model.parameters(), self._spec.max_gradient_norm
        )
        if not torch.isfinite(norm):
            self._refuse("gradient norm", float(norm), share)
        learner._optimizer.step()
        return sums | {"optimizer/gradient_norm": float(norm)}

    def _backward(self, chosen: Sequence[int], *, sequences: int) -> dict[str, float]:
        """Add the gradient of some rows of a minibatch of ``sequences`` rows; their metrics."""
        tensors = row_tensors([self._batch.rows[i] for i in chosen], self._learner._device)
        policy, entropy = completion_statistics(
            self._learner.model, tensors.sequences, self._batch.temperature, pad_id=PAD_ID
        )
        old = self._old_of(chosen, policy)
        loss, metrics = policy_loss(
            policy,
            old_logprobs=old,
            teacher_logprobs=tensors.teacher_logprobs,
            advantages=tensors.advantages,
            mask=tensors.mask,
            algorithm=self._learner._algorithm,
            denominator=float(sequences),
        )
        if not torch.isfinite(loss):
            self._refuse("loss", float(loss), chosen)
        loss.backward()
        mismatch = (old - tensors.sampler_logprobs).abs().masked_fill(~tensors.mask, 0.0)
        return {name: float(value) for name, value in metrics.items()} | {
            "policy/loss": float(loss.detach()),
            "policy/entropy": _sequence_mean(entropy, tensors.mask, sequences),
            "sampler/mismatch_mean": _sequence_mean(mismatch, tensors.mask, sequences),
            "sampler/mismatch_max": float(mismatch.max()),
        }

    def _old_of(self, chosen: Sequence[int], policy: Tensor) -> Tensor:
        """With one optimizer step on fresh data the policy is the old policy: no second forward."""
        if self._passes == 1:
            self._keep(chosen, policy.detach())
        rows = [self._old[index] for index in chosen]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

    def _keep(self, chosen: Sequence[int], found: Tensor) -> None:
        for index, row in zip(chosen, found, strict=True):
            self._old[index] = row[: len(self._batch.rows[index].completion_ids)]

    def _micro_batches(self, share: Sequence[int]) -> list[list[int]]:
        lengths = [_length(self._batch.rows[index]) for index in share]
        packed = micro_batches(lengths, self._spec.micro_batch_tokens)
        return [[share[place] for place in places] for places in packed]

    def _refuse(self, what: str, value: float, chosen: Sequence[int]) -> None:
        groups = sorted({self._batch.rows[index].group_id for index in chosen})
        raise TrainingError(
            f"the {what} of step {self._batch.step} is {value} on groups {groups}; no weights of "
            "this step are published. Lower optimizer.learning_rate, or look at the rollouts of "
            "these groups for log-probs that are not finite"
        )


def _length(row: TrainingRow) -> int:
    return len(row.prompt_ids) + len(row.completion_ids)


def _sequence_mean(values: Tensor, mask: Tensor, sequences: int) -> float:
    """Token means of each row, summed and divided by the minibatch's rows, as losses are."""
    means = (values * mask).sum(1) / mask.sum(1).clamp(min=1)
    return float(means.sum()) / sequences
