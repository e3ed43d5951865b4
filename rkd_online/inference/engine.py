"""The engine as the rest of the project sees it: sample, score prompts, swap weights."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vllm.v1.engine.llm_engine import LLMEngine

from rkd_online.inference.build import build_engine
from rkd_online.inference.engine_thread import EngineRequest, EngineThread
from rkd_online.inference.requests import (
    PromptCandidates,
    candidate_params,
    candidates_callback,
    error_callback,
    rollout_callback,
    sampling_params,
    scored_callback,
    scoring_params,
)
from rkd_online.inference.settings import EngineSettings
from rkd_online.types import (
    Logprobs,
    Rollout,
    SamplingRequest,
    TokenIds,
    WeightVersion,
)

NO_GROUP = -1
"""The group of a request that nobody aborts."""

STARTS_TRANSFER = "start_weight_update"
"""The verb from which on an engine's layers are not what samples a version, until the commit."""


class Engine:
    """One in-process vLLM engine."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._thread = EngineThread(
            lambda: build_engine(settings),
            model=settings.model,
            at_once=settings.max_sequences,
            threads=settings.threads,
            start_timeout=settings.start_seconds,
        )

    def sample(
        self,
        requests: Sequence[SamplingRequest],
        on_rollout: Callable[[int, Rollout], object],
        on_error: Callable[[BaseException], object],
    ) -> None:
        """Enqueue every sibling of every request at once; ``on_rollout(group_id, rollout)`` is
        called on the engine's thread as each ends, ``on_error`` for each that is refused."""
        self._thread.submit(
            [
                EngineRequest(
                    group_id=request.group_id,
                    prompt_ids=request.prompt.token_ids.tolist(),
                    params=sampling_params(request, seed, self._settings.end_token_ids),
                    on_finish=rollout_callback(request.group_id, index, on_rollout),
                    on_error=on_error,
                )
                for request in requests
                for index, seed in enumerate(request.seeds)
            ]
        )

    async def abort(self, group_ids: Collection[int]) -> None:
        """Stop sampling these groups; nothing more is heard of them."""
        await asyncio.wrap_future(self._thread.abort(group_ids))

    async def prompt_logprobs(
        self, sequences: Sequence[TokenIds], *, urgent: bool = False
    ) -> list[Logprobs]:
        """Log-probs at temperature 1 of tokens 1 to n-1 of each sequence of n tokens, n at least 2
        and at most the context length. What is urgent goes before all that waits or runs."""
        loop = asyncio.get_running_loop()
        waiting: list[asyncio.Future[Logprobs]] = [loop.create_future() for _ in sequences]
        self._thread.submit(
            [
                EngineRequest(
                    group_id=NO_GROUP,
                    prompt_ids=sequence[:-1].tolist(),
                    params=scoring_params(sequence[-1]),
                    on_finish=scored_callback(loop, future, sequence[-1]),
                    on_error=error_callback(loop, future),
                )
                for sequence, future in zip(sequences, waiting, strict=True)
            ],
            urgent=urgent,
        )
        return list(await asyncio.gather(*waiting))

    async def prompt_candidates(
        self, sequences: Sequence[TokenIds], count: int
    ) -> list[PromptCandidates]:
        """The same log-probs, and the ``count`` most probable tokens in the place of each, at most
        the settings' ``candidates``."""
        loop = asyncio.get_running_loop()
        waiting: list[asyncio.Future[PromptCandidates]] = [loop.create_future() for _ in sequences]
        self._thread.submit(
            [
                EngineRequest(
                    group_id=NO_GROUP,
                    prompt_ids=sequence[:-1].tolist(),
                    params=candidate_params(sequence[-1], count),
                    on_finish=candidates_callback(loop, future),
                    on_error=error_callback(loop, future),
                )
                for sequence, future in zip(sequences, waiting, strict=True)
            ]
        )
        return list(await asyncio.gather(*waiting))

    async def load_weights(self, path: Path, version: WeightVersion) -> None:
        """Swap to the weights in a safetensors file, as one operation between two steps.

        Sequences in flight keep their tokens.
        """
        await asyncio.wrap_future(self._thread.call(partial(self._swap, path, version)))

    async def transfer(self, verb: str, *args: dict[str, Any]) -> None:
        """One verb of vLLM's weight-transfer protocol, sent by the learner's end of it. From the
        verb that starts an update until ``commit`` the engine takes no step."""
        await asyncio.wrap_future(self._thread.call(partial(self._transfer, verb, args)))

    async def commit(self, version: WeightVersion) -> None:
        """Count what was transferred as ``version`` and forget what older weights computed."""
        await asyncio.wrap_future(self._thread.call(partial(self._commit, version)))

    def close(self) -> None:
        """Shut the engine down."""
        self._thread.close()

    def _swap(self, path: Path, version: WeightVersion, llm: LLMEngine) -> None:
        llm.collective_rpc(STARTS_TRANSFER)
        llm.collective_rpc("update_weights", args=({"path": str(path)},))
        llm.collective_rpc("finish_weight_update")
        self._commit(version, llm)

    def _transfer(self, verb: str, args: tuple[dict[str, Any], ...], llm: LLMEngine) -> None:
        if verb == STARTS_TRANSFER:
            # A step would meet empty layers, and later sample new weights under the old version.
            self._thread.hold()
        llm.collective_rpc(verb, args=args)

    def _commit(self, version: WeightVersion, llm: LLMEngine) -> None:
        llm.set_weight_version(str(version))
        if self._settings.kv_on_update == "recompute":
            llm.reset_prefix_cache(reset_running_requests=True)
        else:
            _forget_prefixes(llm)
        self._thread.release()


def _forget_prefixes(llm: LLMEngine) -> None:
    """Leave running sequences their keys and values, and let no new one find them.

    vLLM's own reset refuses while blocks are in use; eviction takes a block's name and not its use.
    """
    pool = llm.engine_core.engine_core.scheduler.kv_cache_manager.block_pool
    named = {block.block_id for block in pool.blocks if block.block_hash is not None}
    pool.evict_blocks(named | pool.cached_block_hashes_by_block.keys())
