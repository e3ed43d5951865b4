"""Teacher log-probs of the tokens that the policy sampled."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from rkd_online.batching.pack import micro_batches
from rkd_online.spec.precision import Precision
from rkd_online.types import Logprobs, TokenIds, logprobs

if TYPE_CHECKING:
    from rkd_online.inference.settings import EngineSettings
    from rkd_online.models.completion_model import CompletionModel


class Teacher(Protocol):
    """Scores the completions of one prompt."""

    async def completion_logprobs(
        self, prompt_ids: TokenIds, completions: Sequence[TokenIds]
    ) -> list[Logprobs]:
        """The teacher's log-prob of every completion token, given all tokens before it."""
        ...

    async def close(self) -> None: ...


FORWARD_TOKENS: Final = 16_384
"""Tokens in one forward pass, unless a single sequence is longer."""


class TransformersTeacher:
    """A packed forward pass. Applies the rollout's temperature, as the learner does.

    A group shares no forward with another, so the numbers do not depend on which wait together.
    """

    def __init__(
        self, model: Path, *, temperature: float, device: str, threads: int, precision: Precision
    ) -> None:
        # A thread of its own: the actor answers while it computes, and torch counts by thread.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rkd-teacher")
        self._temperature = temperature
        self._model = self._thread.submit(_load, model, device, threads, precision).result()

    async def completion_logprobs(
        self, prompt_ids: TokenIds, completions: Sequence[TokenIds]
    ) -> list[Logprobs]:
        """See Teacher."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._group, prompt_ids, completions)

    async def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _group(self, prompt_ids: TokenIds, completions: Sequence[TokenIds]) -> list[Logprobs]:
        sequences = [(prompt_ids, completion) for completion in completions]
        budget = max(FORWARD_TOKENS, len(prompt_ids) + max(map(len, completions)))
        found: dict[int, Logprobs] = {}
        for chosen in micro_batches(sequences, budget, packed=self._model.packs):
            rows = self._forward([sequences[index] for index in chosen])
            found |= zip(chosen, rows, strict=True)
        return [found[index] for index in range(len(completions))]

    def _forward(self, sequences: Sequence[tuple[TokenIds, TokenIds]]) -> list[Logprobs]:
        import torch

        with torch.no_grad():
            rows = self._model(self._model.batch(sequences), self._temperature).logprobs
        return [
            logprobs(row[: len(completion)].tolist())
            for row, (_, completion) in zip(rows, sequences, strict=True)
        ]


def _load(model: Path, device: str, threads: int, precision: Precision) -> "CompletionModel":
    import torch

    from rkd_online.models.completion_model import CompletionModel
    from rkd_online.models.load import load_causal_lm
    from rkd_online.models.memory import keep_freed_memory
    from rkd_online.models.threads import use_threads

    use_threads(threads)
    keep_freed_memory()
    loaded = load_causal_lm(model, dtype=torch.float32, device=device)
    return CompletionModel(loaded, precision=precision)


class VllmTeacher:
    """vLLM's prompt log-probs, for teachers that need its parallelism; always at temperature 1."""

    def __init__(self, settings: "EngineSettings") -> None:
        from rkd_online.inference.engine import Engine

        self._engine: Engine = Engine(settings)

    async def completion_logprobs(
        self, prompt_ids: TokenIds, completions: Sequence[TokenIds]
    ) -> list[Logprobs]:
        """See Teacher."""
        whole = await self._engine.prompt_logprobs([prompt_ids + one for one in completions])
        return [values[len(prompt_ids) - 1 :] for values in whole]

    async def close(self) -> None:
        """Shut the engine down."""
        self._engine.close()
