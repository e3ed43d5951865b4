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


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A group of test problems and what judges their answers."""

    group: str
    problems: tuple[Problem, ...]
    verify: Verifier


@dataclass(frozen=True, slots=True)
class Pair:
    """A subject. ``held_out`` are its test problems by group; the longest solution of those that
    were taught has ``new_tokens`` at the most."""

    tokenizer: Callable[[], PreTrainedTokenizerBase]
    lessons: Callable[[Recipe], Lessons]
    held_out: Callable[[], list[HeldOut]]
    new_tokens: int


def _held_out(group: str, task: ChainSumTask | ReasoningGymTask) -> HeldOut:
    source = build_task(task)
    problems = tuple(source.problem("test", index) for index in range(source.size("test")))
    return HeldOut(group, problems, verifier(task))


def _sums() -> list[HeldOut]:
    return [_held_out("sums", ChainSumTask(type="chain_sum"))]


def _puzzles() -> list[HeldOut]:
    """Of four people, too, whom no lesson has."""
    return [_held_out(f"puzzles of {people} people", puzzle_task(people)) for people in (2, 3, 4)]


SUBJECTS: Final[Mapping[str, Pair]] = {
    "chain-sum": Pair(
        tokenizer=make_tokenizer,
        lessons=lambda recipe: Sums(recipe.corrupted, recipe.seed),
        held_out=_sums,
        new_tokens=64,
    ),
    "knights-knaves": Pair(
        tokenizer=lambda: make_tokenizer(puzzle_words(), context=512),
        lessons=lambda recipe: Puzzles(recipe.seed),
        held_out=_puzzles,
        new_tokens=192,
    ),
}
"""One for each pair of ``RECIPES``."""
