"""The built-in task: its splits, its mixture, its traces and its verdicts."""

import itertools
from collections import Counter
from collections.abc import Iterator

import pytest

from rkd_online.errors import TaskError
from rkd_online.tasks.chain_sum import ChainSum, trace
from rkd_online.types import Split

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def questions(task: ChainSum, split: Split) -> list[str]:
    return [task.problem(split, index).messages[0].content for index in range(task.size(split))]


def difficulties(task: ChainSum, split: Split, upto: int) -> Counter[str]:
    return Counter(task.problem(split, index).difficulty for index in range(upto))


def test_split_sizes_by_number_of_terms_are_as_documented() -> None:
    task = ChainSum()
    found = {split: difficulties(task, split, task.size(split)) for split in SPLITS}
    assert found == {
        "train": {"2 terms": 60, "3 terms": 600, "4 terms": 1200},
        "validation": {"2 terms": 20, "3 terms": 200, "4 terms": 400},
        "test": {"2 terms": 20, "3 terms": 200, "4 terms": 400},
    }


def every_range_of_terms() -> Iterator[tuple[int, int]]:
    yield from itertools.combinations_with_replacement((2, 3, 4), 2)


def test_no_sum_is_in_two_splits_whatever_lengths_are_asked_for() -> None:
    seen: dict[str, set[Split]] = {}
    for shortest, longest in every_range_of_terms():
        task = ChainSum(shortest, longest)
        for split in SPLITS:
            asked = questions(task, split)
            assert len(set(asked)) == len(asked) > 0
            for question in asked:
                seen.setdefault(question, set()).add(split)
    assert {len(splits) for splits in seen.values()} == {1}
    assert len(seen) == 60 + 20 + 20 + 600 + 200 + 200 + 1200 + 400 + 400


@pytest.mark.parametrize("split", SPLITS)
def test_every_prefix_has_the_mixture_of_the_whole_split(split: Split) -> None:
    task = ChainSum()
    size = task.size(split)
    whole = difficulties(task, split, size)
    part: Counter[str] = Counter()
    for index in range(size):
        part[task.problem(split, index).difficulty] += 1
        for difficulty, count in whole.items():
            assert abs(part[difficulty] - (index + 1) * count / size) <= 1.0


def test_problems_never_change() -> None:
    task = ChainSum()
    assert questions(task, "test")[:4] == ["4+1+2+9=", "7+9+2=", "7+6+8+9=", "2+3+2+1="]
    assert questions(task, "train") == questions(ChainSum(), "train")


def test_the_answer_is_the_sum_of_the_digits_asked_for() -> None:
    task = ChainSum()
    for split in SPLITS:
        for index in range(task.size(split)):
            problem = task.problem(split, index)
            digits = [int(sign) for sign in problem.messages[0].content if sign.isdigit()]
            assert (problem.split, problem.index) == (split, index)
            assert int(problem.answer) == sum(digits)
            assert problem.difficulty == f"{len(digits)} terms"


def test_a_trace_goes_from_left_to_right_and_ends_in_the_answer() -> None:
    assert trace((3, 5, 8)) == "3+5=8\n8+8=16\n<answer>16</answer>"


def test_a_wrong_step_is_carried_on_to_the_answer() -> None:
    wrong = trace((3, 5, 8), add=lambda total, term: total + term + 1)
    assert wrong == "3+5=9\n9+8=18\n<answer>18</answer>"


@pytest.mark.parametrize(
    ("answer", "verdict"), [("16", 1.0), (" 16\n", 1.0), ("17", 0.0), ("16.0", 0.0), ("", 0.0)]
)
def test_only_the_exact_integer_is_right(answer: str, verdict: float) -> None:
    task = ChainSum()
    index = next(i for i in range(task.size("test")) if task.problem("test", i).answer == "16")
    assert task.verify(task.problem("test", index), answer) == verdict


@pytest.mark.parametrize(("shortest", "longest"), [(1, 4), (2, 5), (4, 3)])
def test_terms_outside_the_range_or_out_of_order_are_refused(shortest: int, longest: int) -> None:
    with pytest.raises(TaskError, match=f"min_terms {shortest} and max_terms {longest}"):
        ChainSum(shortest, longest)
