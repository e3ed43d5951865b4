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
"""Tokens, padding included, in one forward pass, unless a single sequence is longer."""


def forward_passes(lengths: Sequence[int], token_budget: int) -> list[list[int]]:
    """Which sequences of a group share a forward pass: a function of their lengths alone, so that
    a resumed run splits as the first did."""
    packed = micro_batches(lengths, max(token_budget, *lengths))
    return [sorted(chosen) for chosen in packed]


class TransformersTeacher:
    """A plain forward pass. Applies the rollout's temperature, as the learner does.

    A group shares no forward with another, so the numbers do not depend on which wait together.
    """

    def __init__(self, model: Path, *, temperature: float, device: str, threads: int) -> None:
        import torch

        from rkd_online.models.load import load_causal_lm

        torch.set_num_threads(threads)
        self._model = load_causal_lm(model, dtype=torch.float32, device=device)
        self._temperature = temperature

    async def completion_logprobs(
        self, prompt_ids: TokenIds, completions: Sequence[TokenIds]
    ) -> list[Logprobs]:
        """See Teacher. Runs in this thread: a scorer has nothing else to do."""
        lengths = [len(prompt_ids) + len(completion) for completion in completions]
        found: dict[int, Logprobs] = {}
        for chosen in forward_passes(lengths, FORWARD_TOKENS):
            found |= zip(
                chosen, self._forward(prompt_ids, [completions[i] for i in chosen]), strict=True
            )
        return [found[index] for index in range(len(completions))]

    def _forward(self, prompt_ids: TokenIds, completions: Sequence[TokenIds]) -> list[Logprobs]:
        import torch

        from rkd_online.models.logprobs import completion_logprobs

        with torch.no_grad():
            rows = completion_logprobs(
                self._model,
                [(prompt_ids, completion) for completion in completions],
                self._temperature,
                pad_id=0,
            )
        return [
            logprobs(row[: len(completion)].tolist())
            for row, completion in zip(rows, completions, strict=True)
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
