"""The sampling requests of an evaluation."""

from collections.abc import Sequence
from typing import Protocol

from rkd_online.types import PromptItem, SamplingRequest

EVALUATION_STEP = 0
"""Leads the seed path where training has its step, which counts from 1: no seed is used twice."""


class SampleSeed(Protocol):
    """Derives one sampling seed from the job's seed and a path of numbers."""

    def __call__(self, seed: int, *path: int) -> int: ...


def temperature_one(
    prompts: Sequence[PromptItem],
    *,
    samples: int,
    max_new_tokens: int,
    seed: int,
    sample_seed: SampleSeed,
) -> tuple[SamplingRequest, ...]:
    """One request per prompt with ``samples`` answers of the model's own distribution.

    Seeds depend on the job's seed, the prompt's index and the sample alone, so every model that is
    compared answers under the same seeds.
    """
    return tuple(
        SamplingRequest(
            group_id=number,
            prompt=prompt,
            seeds=tuple(
                sample_seed(seed, EVALUATION_STEP, prompt.index, sample)
                for sample in range(samples)
            ),
            temperature=1.0,
            top_p=1.0,
            max_new_tokens=max_new_tokens,
        )
        for number, prompt in enumerate(prompts)
    )


def greedy(prompts: Sequence[PromptItem], *, max_new_tokens: int) -> tuple[SamplingRequest, ...]:
    """One request per prompt with the model's single most likely answer, token by token."""
    return tuple(
        SamplingRequest(
            group_id=number,
            prompt=prompt,
            seeds=(0,),
            temperature=0.0,
            top_p=1.0,
            max_new_tokens=max_new_tokens,
        )
        for number, prompt in enumerate(prompts)
    )
