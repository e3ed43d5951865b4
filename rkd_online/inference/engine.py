"""The engine as the rest of the project sees it: sample, score prompts, swap weights."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from vllm.engine.arg_utils import EngineArgs
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.sampling_params import RequestOutputKind, SamplingParams
from vllm.v1.engine.llm_engine import LLMEngine

from rkd_online.inference.engine_thread import EngineRequest, EngineThread
from rkd_online.inference.settings import EngineSettings
from rkd_online.inference.weight_receiver import FILE_BACKEND, register_file_backend
from rkd_online.types import (
    CandidateIds,
    Logprobs,
    Rollout,
    SamplingRequest,
    TokenIds,
    VersionSpan,
    WeightVersion,
    candidate_ids,
    logprobs,
    token_ids,
)

LOADED: WeightVersion = 0
"""The version of the weights that an engine starts with."""

STEP_TOKENS = 8192
"""Prompt tokens that one engine step takes in, unless a single prompt is longer."""

CPU_BLOCK_TOKENS = 32
"""Siblings share what their prompt has in whole blocks of the key-value cache: the smallest block
that vLLM's attention on CPU takes. On GPUs it is vLLM's own choice."""

URGENT_SEQUENCES = 4
"""Room for requests that go before all others."""

NO_GROUP = -1
"""The group of a request that nobody aborts."""

STARTS_TRANSFER = "start_weight_update"
"""The verb from which on an engine's layers are not what samples a version, until the commit."""


class PromptCandidates(NamedTuple):
    """Of tokens 1 to n-1 of a sequence: their log-probs, and the ids and log-probs of as many most
    probable ones as were asked for, one token's after the other's."""

    logprobs: Logprobs
    ids: CandidateIds
    candidates: Logprobs


class Engine:
    """One in-process vLLM engine."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._thread = EngineThread(
            lambda: _build(settings),
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
                    params=self._sampling_params(request, seed),
                    on_finish=_rollout_callback(request.group_id, index, on_rollout),
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
                    params=_scoring_params(sequence[-1]),
                    on_finish=_scored_callback(loop, future, sequence[-1]),
                    on_error=_error_callback(loop, future),
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
                    params=_candidate_params(sequence[-1], count),
                    on_finish=_candidates_callback(loop, future),
                    on_error=_error_callback(loop, future),
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

    def _sampling_params(self, request: SamplingRequest, seed: int) -> SamplingParams:
        return SamplingParams(
            temperature=request.temperature,
            top_p=request.top_p,
            seed=seed,
            max_tokens=request.max_new_tokens,
            stop_token_ids=list(self._settings.end_token_ids),
            logprobs=0,
            flat_logprobs=True,
            detokenize=False,
            # Else vLLM makes an output of every sequence at every token.
            output_kind=RequestOutputKind.FINAL_ONLY,
        )


def _build(settings: EngineSettings) -> LLMEngine:
    register_file_backend()
    engine = LLMEngine.from_engine_args(engine_args(settings), enable_multiprocessing=False)
    engine.set_weight_version(str(LOADED))
    return engine


def engine_args(settings: EngineSettings) -> EngineArgs:
    """What vLLM is told of an engine."""
    return EngineArgs(
        model=str(settings.model),
        skip_tokenizer_init=True,
        generation_config="vllm",
        dtype=settings.precision,
        tensor_parallel_size=settings.tensor_parallel,
        # In a Ray actor vLLM would choose Ray, and refuse one bundle with several GPUs.
        distributed_executor_backend="mp" if settings.tensor_parallel > 1 else None,
        enforce_eager=settings.device == "cpu",
        max_model_len=settings.context_length,
        max_num_seqs=settings.max_sequences + URGENT_SEQUENCES,
        scheduling_policy="priority",
        # Else a batch is in flight at a swap, and its tokens would be marked with the new version.
        async_scheduling=False,
        block_size=CPU_BLOCK_TOKENS if settings.device == "cpu" else None,
        # A prompt in pieces makes vLLM rewind each seeded generator, which CPU generators cannot.
        enable_chunked_prefill=False,
        max_num_batched_tokens=max(STEP_TOKENS, settings.context_length),
        kv_cache_memory_bytes=settings.kv_cache_bytes,
        # Where candidates are asked for, the last token is forced, which processed ones would show.
        logprobs_mode="raw_logprobs" if settings.candidates else "processed_logprobs",
        max_logprobs=settings.candidates,
        weight_transfer_config={
            "backend": FILE_BACKEND if settings.transfer == "file" else settings.transfer
        },
        disable_log_stats=True,
        use_tqdm_on_load=False,
    )


def _forget_prefixes(llm: LLMEngine) -> None:
    """Leave running sequences their keys and values, and let no new one find them.

    vLLM's own reset refuses while blocks are in use; eviction takes a block's name and not its use.
    """
    pool = llm.engine_core.engine_core.scheduler.kv_cache_manager.block_pool
    named = {block.block_id for block in pool.blocks if block.block_hash is not None}
    pool.evict_blocks(named | pool.cached_block_hashes_by_block.keys())


def _scoring_params(last: int) -> SamplingParams:
    """The last token is scored as a candidate for the one token that vLLM always makes: as part of
    the prompt it would leave no room for that token in a sequence that fills the context."""
    return SamplingParams(
        max_tokens=1,
        temperature=0.0,
        prompt_logprobs=0,
        logprob_token_ids=[last],
        flat_logprobs=True,
        detokenize=False,
    )


def _candidate_params(last: int, count: int) -> SamplingParams:
    """The one token that vLLM always makes is the last one, and has its own candidates."""
    return SamplingParams(
        max_tokens=1,
        temperature=0.0,
        prompt_logprobs=count,
        logprobs=count,
        allowed_token_ids=[last],
        flat_logprobs=True,
        detokenize=False,
    )


def _rollout_callback(
    group_id: int, index: int, on_rollout: Callable[[int, Rollout], object]
) -> Callable[[RequestOutput], object]:
    return lambda output: on_rollout(group_id, _rollout(index, output.outputs[0]))


def _rollout(index: int, output: CompletionOutput) -> Rollout:
    assert output.logprobs is not None and output.weight_versions is not None
    return Rollout(
        index=index,
        completion_ids=token_ids(output.token_ids),
        sampler_logprobs=logprobs(output.logprobs.logprobs),
        version_spans=tuple(
            VersionSpan(int(span.version), span.start, span.end) for span in output.weight_versions
        ),
        finish_reason="length" if output.finish_reason == "length" else "stop",
    )


def _scored_callback(
    loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Logprobs]", last: int
) -> Callable[[RequestOutput], None]:
    def finish(output: RequestOutput) -> None:
        # The first token has no log-prob, so the flat list starts with the second.
        values = logprobs(output.prompt_logprobs.logprobs)
        values.append(output.outputs[0].logprobs[0][last].logprob)
        loop.call_soon_threadsafe(future.set_result, values)

    return finish


def _candidates_callback(
    loop: asyncio.AbstractEventLoop, future: "asyncio.Future[PromptCandidates]"
) -> Callable[[RequestOutput], None]:
    def finish(output: RequestOutput) -> None:
        # Each position has its token first, then the most probable ones; the first has nothing.
        parts = [output.prompt_logprobs, output.outputs[0].logprobs]
        values = [value for part in parts for value in part.logprobs]
        ids = [one for part in parts for one in part.token_ids]
        width = len(output.outputs[0].logprobs.logprobs)
        found = PromptCandidates(
            logprobs(values[::width]),
            candidate_ids(one for place, one in enumerate(ids) if place % width),
            logprobs(value for place, value in enumerate(values) if place % width),
        )
        loop.call_soon_threadsafe(future.set_result, found)

    return finish


def _error_callback(
    loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Any]"
) -> Callable[[BaseException], None]:
    def fail_once(error: BaseException) -> None:
        if not future.done():
            future.set_exception(error)

    def fail(error: BaseException) -> None:
        loop.call_soon_threadsafe(fail_once, error)

    return fail
