"""The roles of a run. The loop sees these alone: never Ray, vLLM or tensors.

Implementations are plain classes in their rooms; ``cluster`` wraps the same classes as actors.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from rkd_online.metrics.busy import WorkLog
from rkd_online.spec.job import JobSpec
from rkd_online.types import (
    Logprobs,
    Progress,
    PublishedWeights,
    RolloutGroup,
    SamplingRequest,
    ScoredGroup,
    TrainingBatch,
    UpdateResult,
    WeightVersion,
)


class Worker(Protocol):
    """What every role has."""

    async def work(self) -> WorkLog:
        """What it did since the last call."""
        ...

    async def close(self) -> None:
        """Release what it holds."""
        ...


class Generator(Worker, Protocol):
    """Samples the policy."""

    def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        """All groups of the requests, each as soon as its last sibling ends."""
        ...

    async def abort(self, group_ids: Sequence[int]) -> None:
        """Stop sampling these groups, of which it may have none; they never come."""
        ...

    async def load_weights(self, weights: PublishedWeights) -> Logprobs:
        """Swap to a published version; returns the fixed probe's log-probs under it."""
        ...


class Scorer(Worker, Protocol):
    """Rewards and teacher log-probs."""

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        """Rewards and, where the job has a teacher, its log-probs of every sampled token."""
        ...

    async def reward(self, group: RolloutGroup) -> ScoredGroup:
        """Rewards alone (``teacher_logprobs`` None), as evaluation needs them."""
        ...


class Policy(Protocol):
    """The policy that is trained: one learner, or the ranks that share it behind one face."""

    async def update(self, batch: TrainingBatch) -> UpdateResult:
        """One step on a batch. Weights change only if every loss and gradient is finite."""
        ...

    async def change(self, spec: JobSpec) -> None:
        """Update by the algorithms, the learning rate and the steps of a changed job from now on.
        The model and all else stays."""
        ...

    async def publish(self) -> PublishedWeights:
        """Write the current weights, whole, for the generators."""
        ...

    async def save(self, folder: Path, progress: Progress) -> None:
        """Write a checkpoint: Hugging Face folder, optimizer and random states; manifest last."""
        ...

    async def restore(self, folder: Path) -> WeightVersion:
        """Continue from a checkpoint; returns its version."""
        ...


class Learner(Policy, Worker, Protocol):
    """Updates the policy, or one rank's share of it."""
