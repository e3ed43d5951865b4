"""What the policy is asked, and how its answer is rewarded."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from rkd_online.spec.base import SpecModel

Match = Literal["exact", "numeric", "regex", "math"]


class ChainSumTask(SpecModel):
    """Built-in: sums of single digits, written out step by step."""

    type: Literal["chain_sum"] = "chain_sum"
    """Names this task."""
    min_terms: Annotated[int, Field(ge=2, le=4)] = 2
    """Fewest numbers in one sum."""
    max_terms: Annotated[int, Field(ge=2, le=4)] = 4
    """Most numbers in one sum."""


class CurriculumStage(SpecModel):
    """A part of the training with problems of some levels of the dataset's own curriculum."""

    levels: tuple[NonNegativeInt, NonNegativeInt]
    """Lowest and highest level, counted from 0; each level in between is asked equally often."""
    share: PositiveFloat = 1.0
    """Part of the training, relative to the other stages' shares."""

    @model_validator(mode="after")
    def _levels_in_order(self) -> Self:
        low, high = self.levels
        if low > high:
            raise ValueError(f"levels [{low}, {high}] are not in order: give the lowest first")
        return self


class ReasoningGymTask(SpecModel):
    """Any task of the reasoning-gym package; its own verifier is the reward."""

    type: Literal["reasoning_gym"]
    """Names this task."""
    dataset: str
    """The reasoning-gym dataset's name, for example ``knights_knaves``."""
    config: Annotated[dict[str, Any], Field(default_factory=dict)]
    """Settings of that dataset, as its own configuration class takes them."""
    curriculum: tuple[CurriculumStage, ...] = ()
    """Stages from easy to hard, one after another; held-out problems are of all their levels."""
    train_size: PositiveInt = 10_000
    """Number of training problems."""
    validation_size: PositiveInt = 512
    """Number of validation problems."""
    test_size: PositiveInt = 512
    """Number of test problems."""
    seed: int = 0
    """Seed of the problems; the splits never share one."""


class FileTask(SpecModel):
    """Prompts with reference answers from JSONL or Parquet files, one file per split."""

    type: Literal["file"]
    """Names this task."""
    train: Path
    """File of training prompts (.jsonl or .parquet)."""
    validation: Path
    """File of validation prompts."""
    test: Path
    """File of test prompts."""
    prompt_field: str = "prompt"
    """Column with the prompt: text, or a list of chat messages."""
    answer_field: str = "answer"
    """Column with the reference answer."""
    difficulty_field: str | None = None
    """Column with the difficulty group; without it all prompts are one group."""
    match: Match = "exact"
    """How an extracted answer is compared with the reference: as text, as a number, with the
    reference as a regular expression for the whole answer, or as mathematics (math-verify)."""


Task = Annotated[ChainSumTask | ReasoningGymTask | FileTask, Field(discriminator="type")]

Extractor = Literal["answer_tag", "boxed", "last_number", "last_line", "whole_text"]


class VerifierReward(SpecModel):
    """The task's own verdict on the extracted answer, 0 to 1."""

    type: Literal["verifier"] = "verifier"
    """Names this reward."""
    weight: float = 1.0
    """Factor of this part in the reward."""
    extractor: Extractor = "answer_tag"
    """Where in the completion the answer stands."""


class FinishedReward(SpecModel):
    """1 when the completion ended by itself, 0 when it was cut at the token limit."""

    type: Literal["finished"]
    """Names this reward."""
    weight: float = 1.0
    """Factor of this part in the reward."""


class FormatReward(SpecModel):
    """1 when the completion is written in the tags, each once and in order, else 0."""

    type: Literal["format"]
    """Names this reward."""
    weight: float = 1.0
    """Factor of this part in the reward."""
    tags: Literal["think_answer", "think"] = "think_answer"
    """``<think>...</think><answer>...</answer>`` with nothing around it, or ``<think>...</think>``
    with the answer behind it."""
    opened: bool = False
    """Whether the prompt ends with ``<think>``, as those of some chat templates do."""


class LengthReward(SpecModel):
    """From one value at no tokens to another at ``rollout.max_new_tokens``, along half a cosine,
    for correct and for wrong completions (the cosine reward of arXiv 2502.03373)."""

    type: Literal["length"]
    """Names this reward."""
    weight: float = 1.0
    """Factor of this part in the reward."""
    correct_short: float = 1.0
    """Value of the shortest correct completion."""
    correct_long: float = 0.0
    """Value of the longest correct completion."""
    wrong_short: float = 0.0
    """Value of the shortest wrong completion."""
    wrong_long: float = 0.0
    """Value of the longest wrong completion."""


class OverlongReward(SpecModel):
    """0 to -1 over the last tokens before ``rollout.max_new_tokens`` (the soft overlong punishment
    of DAPO, arXiv 2503.14476, eq. 13)."""

    type: Literal["overlong"]
    """Names this reward."""
    weight: float = 1.0
    """Factor of this part in the reward."""
    soft_tokens: PositiveInt
    """Number of those last tokens."""


class InstalledReward(SpecModel):
    """A function of an installed package, found as an entry point of ``rkd_online.rewards``."""

    type: Literal["installed"]
    """Names this reward."""
    name: Annotated[str, Field(min_length=1)]
    """Name of the entry point; the part is recorded under it."""
    weight: float = 1.0
    """Factor of this part in the reward."""
    settings: Annotated[dict[str, Any], Field(default_factory=dict)]
    """Keyword arguments of the function."""
    verdict: bool = False
    """Whether its value says if a completion is correct, in the place of the verifier's."""


Reward = Annotated[
    VerifierReward
    | FinishedReward
    | FormatReward
    | LengthReward
    | OverlongReward
    | InstalledReward,
    Field(discriminator="type"),
]


def part_name(reward: Reward) -> str:
    """What a part of the reward is recorded as."""
    return reward.name if isinstance(reward, InstalledReward) else reward.type


def verdicts(rewards: Sequence[Reward]) -> list[VerifierReward | InstalledReward]:
    """The parts that say whether a completion is correct; a job has one."""
    return [
        one
        for one in rewards
        if isinstance(one, VerifierReward) or (isinstance(one, InstalledReward) and one.verdict)
    ]


def extractor_of(rewards: Sequence[Reward]) -> Extractor:
    """Where the answer stands that the verdict is about; an installed one is about all the text."""
    (verdict,) = verdicts(rewards)
    return verdict.extractor if isinstance(verdict, VerifierReward) else "whole_text"


class JudgingSpec(SpecModel):
    """Limits of the process in which answers are judged that could hang or crash it: by installed
    rewards, reasoning-gym, regular expressions and math-verify."""

    seconds: PositiveFloat = 10.0
    """Longest time of one judgement; a rollout that takes longer is left out and counted."""
    memory_mib: PositiveInt = 1024
    """Memory of a judgement, beyond what the process has when everything is loaded."""


class PlainPrompt(SpecModel):
    """The problem's text as it is, for models without a chat template."""

    type: Literal["plain"]
    """Names this prompt form."""


class ChatPrompt(SpecModel):
    """The problem as a user message in the policy's chat template."""

    type: Literal["chat"] = "chat"
    """Names this prompt form."""
    system: str | None = None
    """System message put before the problem."""
    thinking: bool | None = None
    """The template's ``enable_thinking`` switch; unset leaves the template's default."""


Prompt = Annotated[PlainPrompt | ChatPrompt, Field(discriminator="type")]
