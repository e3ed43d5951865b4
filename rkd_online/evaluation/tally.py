"""What is kept of every prompt's answers by one decoding. Plain data, no numpy."""

from pydantic import NonNegativeInt, PositiveInt

from rkd_online.evaluation.measurement import Record


class Tally(Record):
    """Counts over each prompt's answers, in the order of the prompts."""

    samples: PositiveInt
    """Answers to each prompt."""
    correct: tuple[NonNegativeInt, ...]
    """Correct answers."""
    solutions: tuple[tuple[PositiveInt, ...], ...]
    """How often each different correct completion came, most frequent first."""
    tokens: tuple[NonNegativeInt, ...]
    """Completion tokens of all answers."""
    truncated: tuple[NonNegativeInt, ...]
    """Answers that were cut at the token limit."""
    answered: tuple[NonNegativeInt, ...]
    """Answers in which the extractor finds an answer."""
    unjudged: tuple[NonNegativeInt, ...]
    """Answers whose judging failed."""
    reward_parts: dict[str, tuple[float | None, ...]]
    """Sum of each part of the reward over the answers that were judged; null where the task of the
    prompt has no such part."""
