"""What each request asks of vLLM, and what its output says."""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from vllm.outputs import CompletionOutput, RequestOutput
from vllm.sampling_params import RequestOutputKind, SamplingParams

from rkd_online.types import (
    CandidateIds,
    Logprobs,
    Rollout,
    SamplingRequest,
    VersionSpan,
    candidate_ids,
    logprobs,
    token_ids,
)


class PromptCandidates(NamedTuple):
    """Of tokens 1 to n-1 of a sequence: their log-probs, and the ids and log-probs of as many most
    probable ones as were asked for, one token's after the other's."""

    logprobs: Logprobs
    ids: CandidateIds
    candidates: Logprobs


def sampling_params(
    request: SamplingRequest, seed: int, end_token_ids: Collection[int]
) -> SamplingParams:
    """How one sibling is sampled."""
    return SamplingParams(
        temperature=request.temperature,
        top_p=request.top_p,
        seed=seed,
        max_tokens=request.max_new_tokens,
        stop_token_ids=list(end_token_ids),
        logprobs=0,
        flat_logprobs=True,
        detokenize=False,
        # Else vLLM makes an output of every sequence at every token.
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def scoring_params(last: int) -> SamplingParams:
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


def candidate_params(last: int, count: int) -> SamplingParams:
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


def rollout_callback(
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


def scored_callback(
    loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Logprobs]", last: int
) -> Callable[[RequestOutput], None]:
    def finish(output: RequestOutput) -> None:
        # The first token has no log-prob, so the flat list starts with the second.
        values = logprobs(output.prompt_logprobs.logprobs)
        values.append(output.outputs[0].logprobs[0][last].logprob)
        loop.call_soon_threadsafe(future.set_result, values)

    return finish


def candidates_callback(
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


def error_callback(
    loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Any]"
) -> Callable[[BaseException], None]:
    def fail_once(error: BaseException) -> None:
        if not future.done():
            future.set_exception(error)

    def fail(error: BaseException) -> None:
        loop.call_soon_threadsafe(fail_once, error)

    return fail
