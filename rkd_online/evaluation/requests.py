"""The sampling requests of an evaluation."""

from collections.abc import Sequence
from typing import Protocol

from rkd_online.spec.decoding import DISTRIBUTIONS, Decoding, answers_per_prompt
from rkd_online.types import PromptItem, SamplingRequest

EVALUATION_STEP = 0
"""Leads the seed path where training has its step, which counts from 1: no seed is used twice."""


class SampleSeed(Protocol):
    """Derives one sampling seed from the job's seed and a path of numbers."""

    def __call__(self, seed: int, *path: int) -> int: ...


def evaluation_requests(
    prompts: Sequence[PromptItem],
    decoding: Decoding,
    *,
    samples: int,
    max_new_tokens: int,
    seed: int,
    sample_seed: SampleSeed,
) -> tuple[SamplingRequest, ...]:
    """One request per prompt with its answers, one where the decoding draws nothing.

    Seeds depend on the job's seed, the prompt's index and the sample alone, so every model that is
    compared answers under the same seeds.
    """
    distribution = DISTRIBUTIONS[decoding]
    return tuple(
        SamplingRequest(
            group_id=number,
            prompt=prompt,
            seeds=tuple(
                sample_seed(seed, EVALUATION_STEP, prompt.index, sample)
                for sample in range(answers_per_prompt(decoding, samples))
            ),
            temperature=distribution.temperature,
            top_p=distribution.top_p,
            max_new_tokens=max_new_tokens,
        )
        for number, prompt in enumerate(prompts)
    )
