"""Scored groups as Arrow columns: what a job's record and a store have in common."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from rkd_online.types import (
    Logprobs,
    Rollout,
    ScoredGroup,
    ScoredRollout,
    TokenIds,
    UnjudgedRollout,
)

Streams: TypeAlias = Sequence[TokenIds | None] | Sequence[Logprobs | None]


def rollout_columns(groups: Sequence[ScoredGroup]) -> dict[str, Any]:
    """What is known of every rollout when it is scored, in the order of the groups; nulls for what
    one lacks that could not be judged."""
    prompts = [group.prompt for group in groups for _ in group.rollouts]
    ones = [one for group in groups for one in group.rollouts]
    rollouts = [one.rollout for one in ones]
    judged = [one if isinstance(one, ScoredRollout) else None for one in ones]
    return {
        "group_id": [group.group_id for group in groups for _ in group.rollouts],
        "index": [rollout.index for rollout in rollouts],
        "prompt_id": [prompt.id for prompt in prompts],
        "prompt_index": [prompt.index for prompt in prompts],
        "split": [prompt.split for prompt in prompts],
        "task": [prompt.task for prompt in prompts],
        "difficulty": [prompt.difficulty for prompt in prompts],
        "answer": [prompt.answer for prompt in prompts],
        "prompt_ids": lists([prompt.token_ids for prompt in prompts], np.int64),
        "completion_ids": lists([rollout.completion_ids for rollout in rollouts], np.int64),
        "sampler_logprobs": lists([rollout.sampler_logprobs for rollout in rollouts], np.float32),
        "teacher_logprobs": lists([one.teacher_logprobs for one in ones], np.float32),
        "weight_versions": [_versions(rollout) for rollout in rollouts],
        "reward": [one and one.reward for one in judged],
        "reward_parts": [one and list(one.reward_parts.items()) for one in judged],
        "correctness": [one and one.correctness for one in judged],
        "finish_reason": [rollout.finish_reason for rollout in rollouts],
        "failure": [_failure(one) for one in ones],
    }


def lists(streams: Streams, dtype: type[np.generic]) -> pa.ListArray:
    """Streams as one list column, without a loop over their elements; None is null."""
    arrays = [np.frombuffer(stream or b"", dtype=dtype) for stream in streams]
    offsets = np.cumsum([0, *(len(one) for one in arrays)], dtype=np.int32)
    nulls = pa.array([stream is None for stream in streams])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(arrays)), mask=nulls)


def _versions(rollout: Rollout) -> list[dict[str, int]]:
    return [
        {"version": span.version, "start": span.start, "end": span.end}
        for span in rollout.version_spans
    ]


def _failure(one: ScoredRollout | UnjudgedRollout) -> str | None:
    return f"{one.cause}: {one.detail}" if isinstance(one, UnjudgedRollout) else None
