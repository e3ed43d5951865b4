"""Teacher log-probs of the tokens that the policy sampled."""

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from rkd_online.batching.pack import micro_batches
from rkd_online.spec.precision import Precision
from rkd_online.types import Candidates, Logprobs, TokenIds, candidate_ids, logprobs

if TYPE_CHECKING:
    from array import array

    from torch import Tensor

    from rkd_online.inference.requests import PromptCandidates
    from rkd_online.inference.settings import EngineSettings
    from rkd_online.models.completion_model import CompletionModel
    from rkd_online.models.readout import Readout, Statistics, TopStatistics


@dataclass(frozen=True, slots=True)
class CandidateRequest:
    """The ``count`` most probable of the first ``vocabulary`` tokens, those that the policy has."""

    count: int
    vocabulary: int


class CandidateScores(NamedTuple):
    """The teacher's log-probs of a completion, and its candidates at each of the tokens."""

    logprobs: Logprobs
    candidates: Candidates


class Teacher(Protocol):
    """Scores the completions of one prompt."""

    async def completion_logprobs(
        self, prompt_ids: TokenIds, completions: Sequence[TokenIds]
    ) -> list[Logprobs]:
        """The teacher's log-prob of every completion token, given all tokens before it."""
        ...

    async def completion_candidates(
        self, prompt_ids: TokenIds, completions: Sequence[TokenIds], asked: CandidateRequest
    ) -> list[CandidateScores]:
        """The same with the teacher's candidates, of one forward pass."""
        ...

    async def close(self) -> None: ...


FORWARD_TOKENS: Final = 16_384
"""Tokens in one forward pass, unless a single sequence is longer."""


LEAST_REST: Final = 1e-6
"""Probability: as far as a sum of probabilities from an engine's float32 log-probs is from 1."""


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
        from rkd_online.models.readout import SAMPLED

        found = await self._run(prompt_ids, completions, SAMPLED)
        return [
            logprobs(statistics.logprobs[row, : len(completion)].tolist())
            for (statistics, row), completion in zip(found, completions, strict=True)
        ]

    async def completion_candidates(
        self, prompt_ids: TokenIds, completions: Sequence[TokenIds], asked: CandidateRequest
    ) -> list[CandidateScores]:
        """See Teacher."""
        from rkd_online.models.readout import Top

        found = await self._run(prompt_ids, completions, Top(asked.count, asked.vocabulary))
        return [
            _top_scores(statistics, row, len(completion))
            for (statistics, row), completion in zip(found, completions, strict=True)
        ]

    async def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    async def _run(
        self, prompt_ids: TokenIds, completions: Sequence[TokenIds], readout: "Readout"
    ) -> list[tuple[Any, int]]:
        loop = asyncio.get_running_loop()
        work = partial(self._group, prompt_ids, completions, readout)
        return await loop.run_in_executor(self._thread, work)

    def _group(
        self, prompt_ids: TokenIds, completions: Sequence[TokenIds], readout: "Readout"
    ) -> "list[tuple[Statistics, int]]":
        """For each completion the statistics of its forward pass, and its row of them."""
        sequences = [(prompt_ids, completion) for completion in completions]
        budget = max(FORWARD_TOKENS, len(prompt_ids) + max(map(len, completions)))
        found: dict[int, tuple[Statistics, int]] = {}
        for chosen in micro_batches(sequences, budget, packed=self._model.packs):
            statistics = self._forward([sequences[index] for index in chosen], readout)
            found |= {index: (statistics, row) for row, index in enumerate(chosen)}
        return [found[index] for index in range(len(completions))]

    def _forward(
        self, sequences: Sequence[tuple[TokenIds, TokenIds]], readout: "Readout"
    ) -> "Statistics":
        import torch

        with torch.no_grad():
            found: Statistics = self._model(
                self._model.batch(sequences), self._temperature, readout=readout
            )
        return found


def _top_scores(found: "TopStatistics", row: int, tokens: int) -> CandidateScores:
    own, told_apart, rest, ids = (one[row, :tokens].cpu().contiguous() for one in found)
    candidates = Candidates(
        ids.shape[1],
        _copied(candidate_ids(()), ids.int()),
        _copied(logprobs(()), told_apart),
        _copied(logprobs(()), rest),
    )
    return CandidateScores(_copied(logprobs(()), own), candidates)


def _copied(stream: "array[Any]", values: "Tensor") -> "array[Any]":
    """The stream with all of a tensor of its type: candidates are many, Python's numbers slow."""
    stream.frombytes(values.numpy().tobytes())
    return stream


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

    async def completion_candidates(
        self, prompt_ids: TokenIds, completions: Sequence[TokenIds], asked: CandidateRequest
    ) -> list[CandidateScores]:
        """See Teacher."""
        whole = await self._engine.prompt_candidates(
            [prompt_ids + one for one in completions], asked.count
        )
        return [_engine_scores(one, len(prompt_ids) - 1, asked) for one in whole]

    async def close(self) -> None:
        """Shut the engine down."""
        self._engine.close()


def _engine_scores(
    found: "PromptCandidates", start: int, asked: CandidateRequest
) -> CandidateScores:
    """Those from token ``start`` on. An engine ranks tokens that the policy does not have too: such
    an entry becomes one that stands for none, and its token part of the rest."""
    ids, told_apart, rest = candidate_ids(()), logprobs(()), logprobs(())
    for place in range(start * asked.count, len(found.ids), asked.count):
        entries = slice(place, place + asked.count)
        pairs = list(zip(found.ids[entries], found.candidates[entries], strict=True))
        known = [(one, value) for one, value in pairs if one < asked.vocabulary]
        none = [(known[0][0] if known else 0, -math.inf)] * (asked.count - len(known))
        ids.extend(one for one, _ in [*known, *none])
        told_apart.extend(value for _, value in [*known, *none])
        rest.append(_rest([value for _, value in known]))
    candidates = Candidates(asked.count, ids, told_apart, rest)
    return CandidateScores(found.logprobs[start:], candidates)


def _rest(told_apart: Sequence[float]) -> float:
    """The log-prob of what float32 log-probs leave over, of which LEAST_REST cannot be told from
    nothing."""
    return math.log(max(1 - math.fsum(map(math.exp, told_apart)), LEAST_REST))
