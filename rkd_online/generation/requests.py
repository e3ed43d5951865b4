"""From prompts to what a generator is asked to sample."""

from collections.abc import Sequence

from rkd_online.generation.seeds import sample_seed
from rkd_online.spec.training import RolloutSpec
from rkd_online.types import PromptItem, SamplingRequest


def training_requests(
    prompts: Sequence[PromptItem], *, step: int, seed: int, rollout: RolloutSpec
) -> list[SamplingRequest]:
    """One group per prompt. Group ids are unique over all steps of a job and grow with them."""
    first = (step - 1) * rollout.prompts_per_step
    return [
        SamplingRequest(
            group_id=first + position,
            prompt=prompt,
            seeds=tuple(
                sample_seed(seed, "train", step, position, sibling)
                for sibling in range(rollout.group_size)
            ),
            temperature=rollout.temperature,
            top_p=1.0,
            max_new_tokens=rollout.max_new_tokens,
        )
        for position, prompt in enumerate(prompts)
    ]
