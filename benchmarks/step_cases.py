"""What the step benchmark measures: the same case on both sides."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

from benchmarks.models import folder, prompt_files, random_model
from rkd_online.tasks.chain_sum import ChainSum
from rkd_online.tasks.order import PromptOrder
from rkd_online.zoo import zoo_path

Precision = Literal["float32", "bfloat16"]

BUNDLED: Final = "zoo:chain-sum/student"
BUNDLED_PROMPT_TOKENS: Final = 64
SEED: Final = 0
THREADS: Final = 2
ROUNDS: Final = 2
LEARNING_RATE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Case:
    """A model, its prompts and the size of a step.

    ``prompt_tokens`` 0 is the bundled student on its own task, which ends its answers by itself.
    In each of the rounds ``warmup`` steps are left out and ``steps`` are timed; for each setting of
    the grid, which is a ``thin_grid`` where a step takes long, ``tried_warmup`` and ``tried``.
    ``at_least`` is the ratio that the project sets itself.
    """

    name: str
    model: str
    prompts_per_step: int
    prompt_tokens: int
    max_new_tokens: int
    warmup: int
    steps: int
    tried_warmup: int
    tried: int
    at_least: float
    group_size: int = 8
    precision: Precision = "float32"
    thin_grid: bool = False

    @property
    def benchmark(self) -> str:
        """Under which name it is measured and kept."""
        return f"step-time-{self.name}"

    @property
    def rollouts(self) -> int:
        """Rollouts of a step."""
        return self.prompts_per_step * self.group_size

    @property
    def bundled(self) -> bool:
        """Whether it is the bundled student on its own prompts."""
        return self.prompt_tokens == 0

    @property
    def context(self) -> int:
        """Longest sequence, in tokens."""
        return (self.prompt_tokens or BUNDLED_PROMPT_TOKENS) + self.max_new_tokens

    @property
    def words(self) -> str:
        """The case on one line."""
        prompt = "chain-sum prompts" if self.bundled else f"prompts of {self.prompt_tokens} tokens"
        return (
            f"{self.model}, {self.prompts_per_step} {prompt} x {self.group_size}, "
            f"{'up to ' if self.bundled else ''}{self.max_new_tokens} new tokens, {self.precision}"
        )

    def model_folder(self) -> Path:
        """Where its model lies."""
        return zoo_path(BUNDLED) if self.bundled else random_model(self.model)

    def prompts_in_order(self, steps: int) -> Path:
        """A JSONL file of the prompts of so many steps, in the order in which a job takes them."""
        rows = _bundled_rows() if self.bundled else _file_rows(self.prompt_tokens)
        order = PromptOrder(len(rows), SEED).take(0, steps * self.prompts_per_step)
        path = folder() / "prompts" / f"{self.name}-in-order.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(rows[index] + "\n" for index in order))
        return path


_large = partial(
    Case,
    model="100M",
    prompts_per_step=4,
    warmup=1,
    steps=2,
    tried_warmup=0,
    tried=1,
    thin_grid=True,
)
CASES: Final = {
    case.name: case
    for case in (
        Case("small", "0.4M", 32, 0, 64, warmup=3, steps=12, tried_warmup=3, tried=6, at_least=2),
        Case("10M", "10M", 8, 128, 64, warmup=1, steps=3, tried_warmup=1, tried=1, at_least=2),
        _large("100M", prompt_tokens=128, max_new_tokens=64, at_least=2),
        _large("100M-prompt-heavy", prompt_tokens=256, max_new_tokens=32, at_least=3.5),
        _large(
            "100M-bfloat16",
            prompt_tokens=128,
            max_new_tokens=64,
            at_least=2,
            precision="bfloat16",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Seconds and completion tokens of each timed step of ``rollouts`` rollouts."""

    seconds: tuple[float, ...]
    tokens: tuple[int, ...]
    rollouts: int

    @property
    def rollouts_per_second(self) -> float:
        """Over all steps together."""
        return len(self.seconds) * self.rollouts / sum(self.seconds)

    @property
    def tokens_per_second(self) -> float:
        """Completion tokens, over all steps together."""
        return sum(self.tokens) / sum(self.seconds)

    @property
    def median_rollouts_per_second(self) -> float:
        """Of the median step."""
        return self.rollouts / statistics.median(self.seconds)

    @property
    def median_tokens_per_second(self) -> float:
        """Completion tokens, of the median step."""
        return statistics.median(
            tokens / seconds for tokens, seconds in zip(self.tokens, self.seconds, strict=True)
        )

    @property
    def tokens_per_rollout(self) -> float:
        """Mean length of a completion."""
        return sum(self.tokens) / (len(self.tokens) * self.rollouts)


@dataclass(frozen=True, slots=True)
class JobTimes(StepTimes):
    """Those of a job, with the medians of what its steps report: seconds by stage, then shares of
    the step in which a role was idle and seconds of all cores."""

    parts: dict[str, float]


def together(parts: Sequence[StepTimes]) -> StepTimes:
    """The steps of several runs of one setting."""
    (rollouts,) = {part.rollouts for part in parts}
    seconds = tuple(one for part in parts for one in part.seconds)
    return StepTimes(seconds, tuple(one for part in parts for one in part.tokens), rollouts)


def _bundled_rows() -> list[str]:
    task = ChainSum()
    problems = [task.problem("train", index) for index in range(task.size("train"))]
    return [json.dumps({"prompt": p.messages[-1].content, "answer": p.answer}) for p in problems]


def _file_rows(tokens: int) -> list[str]:
    return prompt_files(tokens)["train"].read_text().splitlines()
