"""What the policy is asked, and how its answer is rewarded."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from rkd_online.spec.base import SpecModel


class ChainSumTask(SpecModel):
    """Built-in: sums of single digits, written out step by step."""

    type: Literal["chain_sum"] = "chain_sum"
    """Names this task."""
    min_terms: Annotated[int, Field(ge=2, le=4)] = 2
    """Fewest numbers in one sum."""
    max_terms: Annotated[int, Field(ge=2, le=4)] = 4
    """Most numbers in one sum."""


class ReasoningGymTask(SpecModel):
    """Any task of the reasoning-gym package; its own verifier is the reward."""

    type: Literal["reasoning_gym"]
    """Names this task."""
    dataset: str
    """The reasoning-gym dataset's name, for example ``knights_knaves``."""
    config: Annotated[dict[str, Any], Field(default_factory=dict)]
    """Settings of that dataset, as its own configuration class takes them."""
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
    match: Literal["exact", "numeric"] = "exact"
    """How an extracted answer is compared with the reference."""


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


Reward = Annotated[VerifierReward | FinishedReward, Field(discriminator="type")]


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
