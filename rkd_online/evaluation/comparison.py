"""Two models side by side, as plain data. No numpy."""

from pydantic import PositiveInt

from rkd_online.evaluation.measurement import Estimate, Record
from rkd_online.spec.decoding import Decoding


class Paired(Record):
    """One quantity of both models, each a mean over the same prompts."""

    first: float
    """Of the first model."""
    second: float
    """Of the second model."""
    difference: Estimate
    """The second less the first: mean of the differences by prompt, with its 95 % interval."""


class Differences(Record):
    """Two models by one decoding."""

    pass_at_k: dict[PositiveInt, Paired]
    """Chance that one of k answers is correct."""
    by_task: dict[str, Paired]
    """pass@1 of each task: of a mixture there are several."""
    by_difficulty: dict[str, Paired]
    """pass@1 of each difficulty group."""
    distinct_correct: dict[PositiveInt, Paired]
    """Different correct completions that k answers are expected to hold."""
    tokens: Paired
    """Completion tokens of an answer."""
    truncated_share: Paired
    """Share of the answers that were cut at the token limit."""
    answered_share: Paired
    """Share of the answers in which the extractor finds an answer."""


class Comparison(Record):
    """Two models on the same prompts."""

    first: str
    """The model that is compared with."""
    second: str
    """The model that is compared."""
    prompts: PositiveInt
    """Number of prompts."""
    asked_otherwise: dict[str, tuple[str, str]]
    """What else was not the same for both, by setting."""
    decodings: dict[Decoding, Differences]
    """By each decoding that both were asked by."""
