"""From judged answers to the counts that are kept of them."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import TypeAlias

from rkd_online.evaluation.reading import Reading
from rkd_online.evaluation.tally import Tally
from rkd_online.types import ScoredGroup, ScoredRollout, TokenIds, UnjudgedRollout

Answer: TypeAlias = ScoredRollout | UnjudgedRollout
Read: TypeAlias = Callable[[str, TokenIds], Reading]
"""What a completion says, as its task's verifier reads it."""


def is_correct(answer: Answer, correct_at: float) -> bool:
    """Whether the verdict reaches ``correct_at``; an answer without one does not."""
    return isinstance(answer, ScoredRollout) and answer.correctness >= correct_at


def count(groups: Sequence[ScoredGroup], read: Read, *, correct_at: float) -> Tally:
    """The counts of all groups, which have equally many answers, in their order."""
    rows = [group.rollouts for group in groups]
    readings = [
        [read(group.prompt.task, answer.rollout.completion_ids) for answer in group.rollouts]
        for group in groups
    ]
    correct = [[is_correct(answer, correct_at) for answer in row] for row in rows]
    return Tally(
        samples=len(rows[0]),
        correct=tuple(map(sum, correct)),
        solutions=tuple(map(_solutions, readings, correct)),
        tokens=tuple(sum(len(answer.rollout.completion_ids) for answer in row) for row in rows),
        truncated=tuple(sum(a.rollout.finish_reason == "length" for a in row) for row in rows),
        answered=tuple(sum(reading.answered for reading in row) for row in readings),
        unjudged=tuple(
            len(row) - len(group.judged) for row, group in zip(rows, groups, strict=True)
        ),
        reward_parts=_reward_parts(groups),
    )


def _solutions(readings: Sequence[Reading], correct: Sequence[bool]) -> tuple[int, ...]:
    """How often each different solution of one prompt came, most frequent first."""
    found = Counter(
        reading.solution for reading, right in zip(readings, correct, strict=True) if right
    )
    return tuple(sorted(found.values(), reverse=True))


def _reward_parts(groups: Sequence[ScoredGroup]) -> dict[str, tuple[float | None, ...]]:
    """Sums by prompt; None for the prompts of a task without the part."""
    tasks: defaultdict[str, set[str]] = defaultdict(set)
    for group in groups:
        for name in {name for one in group.judged for name in one.reward_parts}:
            tasks[name].add(group.prompt.task)
    return {
        name: tuple(_sum_of(name, group) if group.prompt.task in own else None for group in groups)
        for name, own in sorted(tasks.items())
    }


def _sum_of(name: str, group: ScoredGroup) -> float:
    return sum(one.reward_parts[name] for one in group.judged)
