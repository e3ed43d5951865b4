"""Teacher log-probs of the tokens that the policy sampled."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from rkd_online.batching.pack import micro_batches
from rkd_online.types import Logprobs, TokenIds, logprobs

if TYPE_CHECKING:
    from rkd_online.inference.settings import EngineSettings


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

    def __init__(self, model: Path, *, temperature: float, device: str, threads: int) -> None:
        import torch

        from rkd_online.models.completion_model import CompletionModel
        from rkd_online.models.load import load_causal_lm

        torch.set_num_threads(threads)
        self._model = CompletionModel(load_causal_lm(model, dtype=torch.float32, device=device))
        self._temperature = temperature

    async def completion_logprobs(
        self, prompt_ids: TokenIds, completions: Sequence[TokenIds]
    ) -> list[Logprobs]:
        """See Teacher. Runs in this thread: a scorer has nothing else to do."""
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

    async def close(self) -> None:
        """Nothing is held beside memory."""


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
