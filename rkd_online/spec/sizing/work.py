"""What a step works on: how many sequences, of how many tokens."""

from dataclasses import dataclass

from rkd_online.spec.job import JobSpec


@dataclass(frozen=True, slots=True)
class Work:
    """``groups`` of ``siblings`` sequences a step, with ``prompt`` tokens in front of ``new``."""

    groups: int
    siblings: int
    prompt: float
    new: float

    @property
    def sequences(self) -> int:
        """Completions of a step."""
        return self.groups * self.siblings

    @property
    def prompt_tokens(self) -> float:
        """Prompt tokens of a step, what siblings share counted once."""
        return self.groups * self.prompt

    @property
    def new_tokens(self) -> float:
        """Sampled tokens of a step."""
        return self.sequences * self.new

    @property
    def packed_tokens(self) -> float:
        """Tokens of a step as learner and teacher compute them: each prompt once."""
        return self.prompt_tokens + self.new_tokens

    @property
    def longest(self) -> float:
        """Tokens of a sequence."""
        return self.prompt + self.new


def worst(spec: JobSpec, context: int | None = None) -> Work:
    """All sequences as long as the job allows, or as its models take."""
    rollout = spec.rollout
    longest = rollout.max_prompt_tokens + rollout.max_new_tokens
    prompt = rollout.max_prompt_tokens - max(0, longest - (context or longest))
    return Work(
        rollout.prompts_per_step, rollout.group_size, max(1, prompt), rollout.max_new_tokens
    )


def mean(spec: JobSpec, prompt: float, new: float) -> Work:
    """Sequences of these mean lengths."""
    return Work(spec.rollout.prompts_per_step, spec.rollout.group_size, prompt, new)
