"""From prompts to what a generator is asked to sample."""

from rkd_online.generation.seeds import sample_seed
from rkd_online.spec.training import RolloutSpec
from rkd_online.types import PromptItem, SamplingRequest


def training_request(
    group_id: int, prompt: PromptItem, *, seed: int, rollout: RolloutSpec
) -> SamplingRequest:
    """The group of a prompt. Groups count from 0 over the whole job; where none is dropped, step n
    has ``prompts_per_step`` of them from (n - 1) * ``prompts_per_step`` on."""
    steps, position = divmod(group_id, rollout.prompts_per_step)
    return SamplingRequest(
        group_id=group_id,
        prompt=prompt,
        seeds=tuple(
            sample_seed(seed, "train", steps + 1, position, sibling)
            for sibling in range(rollout.group_size)
        ),
        temperature=rollout.temperature,
        top_p=1.0,
        max_new_tokens=rollout.max_new_tokens,
    )
