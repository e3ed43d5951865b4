"""How the policy is sampled, updated, evaluated and saved."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
)

from rkd_online.spec.base import SpecModel
from rkd_online.spec.decoding import Decoding


class KeepFlatGroups(SpecModel):
    """Groups whose rewards are all equal are learned from as any other."""

    type: Literal["off"] = "off"
    """Names this choice."""


class RefillFlatGroups(SpecModel):
    """Groups whose rewards are all equal are dropped, and other prompts take their places, as in
    DAPO (arXiv 2503.14476): for algorithms that learn nothing from them."""

    type: Literal["refill"]
    """Names this choice."""
    most: PositiveFloat = 2.0
    """At most this many times ``prompts_per_step`` groups are dropped for one step; those beyond
    are kept."""


DynamicSampling = Annotated[KeepFlatGroups | RefillFlatGroups, Field(discriminator="type")]


class PolicySource(SpecModel):
    """The policy samples while it learns."""

    type: Literal["policy"] = "policy"
    """Names this source."""


class StoreSource(SpecModel):
    """A store that ``rkd collect`` or ``rkd export rollouts`` wrote, for ``sft`` alone: its correct
    samples, prompt by prompt in a shuffled order, again and again."""

    type: Literal["store"]
    """Names this source."""
    path: Path
    """Folder of the store."""
    minimum_reward: float | None = None
    """Of its correct samples only those with at least this reward; unset takes them all."""


RolloutSource = Annotated[PolicySource | StoreSource, Field(discriminator="type")]


class RolloutSpec(SpecModel):
    """What is sampled for each step."""

    source: RolloutSource = PolicySource()
    """Where completions come from."""
    prompts_per_step: PositiveInt = 32
    """Prompts (groups) in one step."""
    group_size: Annotated[int, Field(ge=2)] = 8
    """Siblings sampled for one prompt; an advantage needs at least 2."""
    temperature: Annotated[float, Field(gt=0, le=2)] = 1.0
    """Sampling temperature of training rollouts; the learner divides its logits by the same."""
    max_prompt_tokens: PositiveInt = 1024
    """Longest prompt; a longer one ends the run with an error that names it."""
    max_new_tokens: PositiveInt = 1024
    """Longest completion, end token included."""
    max_staleness: Annotated[int, Field(ge=0, le=32)] = 0
    """Weight versions that the oldest token of a rollout may lie behind the learner: 0 samples
    nothing during an update (strictly on-policy), from 1 on generators, scorers and learner work at
    the same time. ``max_staleness`` + 1 steps' groups are in memory at most."""
    kv_on_update: Literal["recompute", "keep"] = "recompute"
    """What rollouts in flight do when new weights come: compute their keys and values again, or
    go on with those of older weights, which is cheaper and further from the new policy."""
    dynamic_sampling: DynamicSampling = KeepFlatGroups()
    """What becomes of groups whose rewards are all equal."""
    truncated: Literal["learn", "mask"] = "learn"
    """What becomes of completions that were cut at ``max_new_tokens``: learned from as any other,
    or they give no gradient, while their rewards count for their group."""
    group_timeout_seconds: PositiveFloat = 600.0
    """When a step has waited this long without a group having ended, those that it waits for are
    dropped and counted, and other prompts take their places; above ``timeout_seconds`` none is."""
    timeout_seconds: PositiveFloat = 1800.0
    """A step that waits longer than this for its groups ends the attempt with an error."""


class ConstantSchedule(SpecModel):
    """The learning rate stays as it is after warm-up."""

    type: Literal["constant"] = "constant"
    """Names this schedule."""
    warmup_steps: NonNegativeInt = 0
    """Steps of linear warm-up from 0."""


class DecaySchedule(SpecModel):
    """The learning rate falls to ``final_fraction`` of its peak at the last step."""

    type: Literal["linear", "cosine"]
    """Shape of the fall."""
    warmup_steps: NonNegativeInt = 0
    """Steps of linear warm-up from 0."""
    final_fraction: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the peak learning rate that is left at the last step."""


Schedule = Annotated[ConstantSchedule | DecaySchedule, Field(discriminator="type")]


class OptimizerSpec(SpecModel):
    """AdamW on float32 master weights."""

    learning_rate: PositiveFloat = 1e-6
    """Peak learning rate."""
    schedule: Schedule = ConstantSchedule()
    """Warm-up and decay of the learning rate."""
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (
        0.9,
        0.999,
    )
    """AdamW's two decay rates."""
    epsilon: PositiveFloat = 1e-8
    """AdamW's epsilon."""
    weight_decay: NonNegativeFloat = 0.0
    """AdamW's decoupled weight decay."""
    max_gradient_norm: PositiveFloat = 1.0
    """Gradients are scaled down to this norm."""
    minibatches: PositiveInt = 1
    """Optimizer steps over one step's rollouts, each on its own share of the groups."""
    epochs: PositiveInt = 1
    """Passes over one step's rollouts."""
    micro_batch_tokens: PositiveInt = 16_384
    """Tokens in one forward and backward pass, a prompt that siblings share counted once; at least
    one longest sequence."""
    activation_checkpointing: bool = False
    """Keep the inputs of layers alone and compute the layers again backward: less memory, about a
    third more work."""


class EvaluationSpec(SpecModel):
    """How teacher, student before and student after are compared."""

    prompts: PositiveInt = 256
    """Prompts of the test split in the report, all of them where it has fewer."""
    samples: PositiveInt = 4
    """Answers to each prompt by each decoding that samples; pass@k is reported for k of 1, 2, 4, 8,
    16 and 32 up to this."""
    decoding: Annotated[tuple[Decoding, ...], Field(min_length=1)] = ("temperature_1", "greedy")
    """How models answer, any of ``temperature_1``, ``papers`` (temperature 0.6, top-p 0.95) and
    ``greedy``; the first gives the report's headline and is what validation asks."""
    timeout_seconds: PositiveFloat = 3600.0
    """A model that has not given all its answers by one decoding within this time ends the
    attempt."""
    every: NonNegativeInt = 0
    """Steps between evaluations on the validation split; 0 for none."""
    every_prompts: PositiveInt = 64
    """Prompts of each such evaluation."""
    every_samples: PositiveInt = 1
    """Answers to each of them; pass@k is recorded for k up to this."""

    @field_validator("decoding")
    @classmethod
    def _each_once(cls, decoding: tuple[Decoding, ...]) -> tuple[Decoding, ...]:
        if len(set(decoding)) < len(decoding):
            raise ValueError("should name each decoding once")
        return decoding


class CheckpointSpec(SpecModel):
    """Which checkpoints are written and kept."""

    every: PositiveInt = 20
    """Steps between checkpoints; the last step always writes one."""
    keep: PositiveInt = 3
    """Newest checkpoints kept, beside step 0 and the best."""
    best_metric: Literal["reward/mean", "reward/correct_share", "validation/pass_at_1"] = (
        "reward/mean"
    )
    """What chooses the best checkpoint, which is kept: the highest reward of the step that sampled
    it (no step samples the last one), or the highest pass@1 on the validation split, which needs an
    evaluation at each checkpoint."""
