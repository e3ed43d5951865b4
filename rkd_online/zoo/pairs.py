"""What the bundled pairs are about: their tokenizers, their lessons and what measures them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from transformers import PreTrainedTokenizerBase

from rkd_online.spec.task import ChainSumTask, ReasoningGymTask
from rkd_online.tasks.base import Problem, Verifier
from rkd_online.tasks.build import build_task
from rkd_online.tasks.verifiers import verifier
from rkd_online.zoo.lessons import Lessons, Puzzles, Sums, puzzle_task
from rkd_online.zoo.recipe import Recipe
from rkd_online.zoo.tokenizer import make_tokenizer
from rkd_online.zoo.words import puzzle_words

SUM_TOKENS: Final = 64
PUZZLE_TOKENS: Final[Mapping[int, int]] = {2: 96, 3: 192, 4: 384}
"""By the number of people."""
PUZZLES_ASKED: Final = 256
"""Of each number of people."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A group of test problems and what judges their answers; the longest solution has fewer than
    ``new_tokens``."""

    group: str
    problems: tuple[Problem, ...]
    verify: Verifier
    new_tokens: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A subject. ``held_out`` are its test problems by group."""

    tokenizer: Callable[[], PreTrainedTokenizerBase]
    lessons: Callable[[Recipe], Lessons]
    held_out: Callable[[], list[HeldOut]]


def _held_out(group: str, task: ChainSumTask | ReasoningGymTask, new_tokens: int) -> HeldOut:
    source = build_task(task)
    size = source.size("test")
    count = min(PUZZLES_ASKED, size) if isinstance(task, ReasoningGymTask) else size
    problems = tuple(source.problem("test", index) for index in range(count))
    return HeldOut(group, problems, verifier(task), new_tokens)


def _sums() -> list[HeldOut]:
    return [_held_out("sums", ChainSumTask(type="chain_sum"), SUM_TOKENS)]


def _puzzles() -> list[HeldOut]:
    """Of four people, too, whom no lesson has."""
    return [
        _held_out(f"puzzles of {people} people", puzzle_task(people), new_tokens)
        for people, new_tokens in PUZZLE_TOKENS.items()
    ]


SUBJECTS: Final[Mapping[str, Pair]] = {
    "chain-sum": Pair(
        tokenizer=make_tokenizer,
        lessons=lambda recipe: Sums(recipe.corrupted, recipe.seed),
        held_out=_sums,
    ),
    "knights-knaves": Pair(
        tokenizer=lambda: make_tokenizer(puzzle_words(), context=512),
        lessons=lambda recipe: Puzzles(recipe.roll_calls, recipe.seed),
        held_out=_puzzles,
    ),
}
"""By the name of the pair."""
