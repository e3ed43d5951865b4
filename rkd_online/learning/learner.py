"""The learner: training batches in, new weights out."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.core_model_loading import revert_weight_conversion

from rkd_online.errors import TrainingError
from rkd_online.learning.checkpoint import read_state, write_checkpoint
from rkd_online.learning.ranks import Ranks, as_shared, whole
from rkd_online.learning.schedule import learning_rate
from rkd_online.learning.update import PolicyUpdate
from rkd_online.models.completion_model import CompletionModel
from rkd_online.models.load import load_causal_lm
from rkd_online.models.memory import keep_freed_memory
from rkd_online.models.threads import use_threads
from rkd_online.spec.algorithm import reference_of
from rkd_online.spec.phases import Phase
from rkd_online.spec.precision import Precision
from rkd_online.spec.training import OptimizerSpec
from rkd_online.types import (
    Logprobs,
    Progress,
    TokenIds,
    TrainingBatch,
    UpdateResult,
    WeightVersion,
    logprobs,
)


class PolicyLearner:
    """A policy in float32 and its AdamW.

    ``precision`` is that of matrix products in the update; the probe is in float32 always.
    ``ranks`` are the processes that share the policy: all of them make the same calls. Where a
    phase asks for a reference, the policy as it lies in ``model`` is kept a second time, frozen and
    shared likewise; ``restore`` leaves it as it is.
    """

    def __init__(
        self,
        model: Path,
        *,
        phases: Sequence[Phase],
        optimizer: OptimizerSpec,
        total_steps: int,
        device: str,
        threads: int,
        ranks: Ranks,
        precision: Precision = "float32",
    ) -> None:
        use_threads(threads)
        keep_freed_memory()
        self.model = load_causal_lm(model, dtype=torch.float32, device=device)
        self.ranks = ranks
        self._statistics = CompletionModel(
            self.model,
            precision=precision,
            activation_checkpointing=optimizer.activation_checkpointing,
        )
        self.ranks.shard(self._statistics)
        self._reference: CompletionModel | None = None
        if any(reference_of(phase.algorithm).type != "none" for phase in phases):
            self._reference = self._frozen(model, device, precision)
        self.version: WeightVersion = 0
        self._source = model
        self._phases = phases
        self._spec = optimizer
        self._total_steps = total_steps
        self._device = device
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=optimizer.learning_rate,
            betas=optimizer.betas,
            eps=optimizer.epsilon,
            weight_decay=optimizer.weight_decay,
            fused=True,
        )

    def update(self, batch: TrainingBatch) -> UpdateResult:
        """One step: every epoch and minibatch of ``batch``.

        Raises TrainingError at the first loss or gradient that is not finite, before that optimizer
        step. The version then stays as it was and nothing may be published: earlier minibatches of
        the same step may have been taken. The attempt ends; a checkpoint has the weights before.
        """
        if batch.step != self.version + 1:
            raise TrainingError(f"step {batch.step} came while the policy is at {self.version}")
        phase = self._phases[batch.turn.phase]
        rate = learning_rate(batch.step, self._spec, self._total_steps)
        rate *= phase.learning_rate_factor
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        update = PolicyUpdate(
            self._statistics,
            self._optimizer,
            batch,
            ranks=self.ranks,
            algorithm=phase.algorithm_after(batch.turn.done),
            spec=self._spec,
            reference=self._reference,
        )
        metrics = update.run() | {"optimizer/learning_rate": rate}
        self.version = batch.step
        return UpdateResult(self.version, metrics, update.old_logprobs())

    def change(
        self, *, phases: Sequence[Phase], optimizer: OptimizerSpec, total_steps: int
    ) -> None:
        """Update by these from the next step on; AdamW's own state goes on as it is.

        Every rank has to make this call between the same two steps, as any other.
        """
        self._phases, self._spec, self._total_steps = phases, optimizer, total_steps

    def state_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every parameter as a checkpoint names it; a tied head is its embedding and comes once."""
        named = self._parameters()
        # transformers fuses the experts of a layer in memory, which no other reader knows.
        yield from revert_weight_conversion(self.model, named).items()

    @torch.no_grad()
    def probe(self, ids: TokenIds) -> Logprobs:
        """Log-probs at temperature 1 of tokens 1 to n-1 of n."""
        batch = self._statistics.batch([(ids[:1], ids[1:])])
        found = self._statistics(batch, 1.0, precision="float32")
        self.ranks.settle(self._statistics)
        return logprobs(found.logprobs[0].tolist())

    def save(self, folder: Path, progress: Progress) -> None:
        """Write a checkpoint, whole or not at all."""
        weights, optimizer = self._parameters(), self._optimizer_state()
        state = {
            "version": self.version,
            "optimizer": optimizer,
            "random": torch.get_rng_state(),
        }
        if self.ranks.first:
            write_checkpoint(folder, self.model, weights, self._source, state, progress)

    def restore(self, folder: Path) -> WeightVersion:
        """Continue from a checkpoint and return its version; a damaged one changes nothing."""
        state = read_state(folder)
        loaded = load_causal_lm(folder, dtype=torch.float32)
        with torch.no_grad():
            for (_, mine), (_, saved) in zip(
                self.model.named_parameters(), loaded.named_parameters(), strict=True
            ):
                mine.copy_(as_shared(saved, mine))
        self._load_optimizer(state["optimizer"])
        torch.set_rng_state(state["random"])
        self.version = state["version"]
        return self.version

    def close(self) -> None:
        """Leave the other ranks."""
        self.ranks.leave()

    def _frozen(self, model: Path, device: str, precision: Precision) -> CompletionModel:
        loaded = load_causal_lm(model, dtype=torch.float32, device=device).requires_grad_(False)
        frozen = CompletionModel(loaded, precision=precision)
        self.ranks.shard(frozen)
        return frozen

    def _parameters(self) -> dict[str, Tensor]:
        """Every parameter, whole, on the first rank; of a shared one on the CPU, one at a time."""
        found: dict[str, Tensor] = {}
        for name, parameter in self.model.named_parameters():
            tensor = whole(parameter.detach())
            if self.ranks.first:
                found[name] = tensor if self.ranks.count == 1 else tensor.cpu()
        return found

    def _optimizer_state(self) -> dict[str, Any]:
        """AdamW's state with whole tensors: the same for any number of ranks. Of a shared one they
        are on the CPU of the first rank: a GPU may not hold them whole."""
        state = self._optimizer.state_dict()
        moments = {
            index: {name: self._on_first(value) for name, value in one.items()}
            for index, one in state["state"].items()
        }
        return {"state": moments, "param_groups": state["param_groups"]}

    def _on_first(self, tensor: Tensor) -> Tensor | None:
        found = whole(tensor)
        if self.ranks.count == 1:
            return found
        return found.cpu() if self.ranks.first else None

    def _load_optimizer(self, state: dict[str, Any]) -> None:
        parameters = dict(enumerate(self.model.parameters()))
        moments = {
            index: {
                name: as_shared(value, parameters[index]) if value.ndim else value
                for name, value in one.items()
            }
            for index, one in state["state"].items()
        }
        self._optimizer.load_state_dict({**state, "state": moments})
