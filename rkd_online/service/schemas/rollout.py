"""Rollouts as the API answers them."""

from rkd_online.service.schemas.answer import Answer


class VersionSpan(Answer):
    """Tokens that one version of the weights sampled."""

    version: int
    """The weight version."""
    start: int
    """The first completion token."""
    end: int
    """The one behind the last."""


class RolloutRecord(Answer):
    """A scored completion that a step had. What it lacks that could not be judged, or of which
    nothing was learned, is null."""

    id: str
    """Step, group and place among its siblings: ``STEP-GROUP-INDEX``."""
    step: int
    """The step that had it."""
    attempt: int
    """The attempt that did the step."""
    group: int
    """The prompt's group; its siblings have the same."""
    index: int
    """The place among its siblings, from 0."""
    prompt_id: str
    """The problem: split, number and a digest of its text."""
    task: str
    """The task, or the part of a mixture."""
    difficulty: str
    """The problem's difficulty group."""
    answer: str
    """The reference answer."""
    prompt: str | None
    """The prompt as text; null where the record holds tokens alone."""
    completion: str | None
    """The completion as text; null where the record holds tokens alone."""
    prompt_tokens: int
    """Tokens of the prompt."""
    completion_tokens: int
    """Tokens of the completion, its end token included."""
    reward: float | None
    """The weighted sum of the parts."""
    reward_parts: dict[str, float] | None
    """Each part of the reward before its weight."""
    correctness: float | None
    """The verifier's part of the reward, 0 to 1."""
    correct: bool | None
    """Whether that is enough to count as correct; null also where nothing was learned from it."""
    advantage: float | None
    """Relative to the group; null also where nothing was learned from it."""
    finish_reason: str
    """``stop``, or ``length`` where it was cut at the token limit."""
    failure: str | None
    """Why it could not be judged: the cause and what happened."""


class RolloutTokens(RolloutRecord):
    """A rollout with what is known of each of its tokens."""

    prompt_ids: list[int]
    """The prompt as tokens."""
    completion_ids: list[int]
    """The completion as tokens, its end token last. The log-probs are of these."""
    sampler_logprobs: list[float]
    """Log-probs as the engine sampled them."""
    old_logprobs: list[float] | None
    """Log-probs under the policy before the update; null where nothing was learned."""
    teacher_logprobs: list[float] | None
    """Log-probs under the teacher; null without one."""
    weight_versions: list[VersionSpan]
    """Which weights sampled which tokens, without gaps."""
