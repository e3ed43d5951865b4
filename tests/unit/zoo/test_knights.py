"""Solutions of knights and knaves, and the words they are made of."""

import itertools
import re
from typing import Any

import pytest
from reasoning_gym import create_dataset

from rkd_online.zoo.knights import trace
from rkd_online.zoo.pairs import PUZZLE_TOKENS, SUBJECTS
from rkd_online.zoo.tokenizer import END
from rkd_online.zoo.words import puzzle_words


def puzzle(*statements: Any) -> dict[str, Any]:
    names = ["Aurora", "Aria", "Noah"][: len(statements)]
    return {"answer": "ANSWER", "metadata": {"names": names, "statements": statements}}


def test_a_puzzle_of_two_is_solved_as_by_hand() -> None:
    """Aurora: Aria and Aurora tell the truth. Aria: Aurora lies. Only F, T agrees with both."""
    both = ("and", ("telling-truth", 1), ("telling-truth", 0))
    assert trace(puzzle(both, ("lying", 0))).splitlines() == [
        "# Aurora A Aria B",
        "A: Aria B & Aurora A",
        "B: Aurora !A",
        "A=T B=T A T & T =T B F =F x",
        "A=T B=F A F & T =F x",
        "A=F B=T A T & F =F B T =T ok",
        "<answer>ANSWER</answer>",
    ]


@pytest.mark.parametrize(
    ("statement", "symbols", "values"),
    [
        (("not", ("telling-truth", 1)), "A: Aria !B", "FT"),
        (("not", ("lying", 1)), "A: Aria B", "TF"),
        (("or", ("lying", 0), ("telling-truth", 1)), "A: Aurora !A | Aria B", "TF"),
        (("->", ("telling-truth", 1), ("lying", 0)), "A: Aria B -> Aurora !A", "FT"),
        (("<=>", ("telling-truth", 1), ("not", ("lying", 0))), "A: Aria B <-> Aurora A", "TF"),
    ],
)
def test_a_statement_has_its_truth_under_the_first_two_assignments(
    statement: Any, symbols: str, values: str
) -> None:
    """The value of A's statement where A tells the truth and B does, then does not. B calls A a
    liar, so that the first of the two never fits and the second is tried."""
    lines = trace(puzzle(statement, ("lying", 0))).splitlines()
    assert lines[1] == symbols
    assert lines[3].startswith("A=T B=T A ") and lines[4].startswith("A=T B=F A ")
    assert "".join(re.findall(r"^.*? =([TF])", "\n".join(lines[3:5]), re.MULTILINE)) == values


def solved(text: str) -> dict[str, bool]:
    """What the last assignment of a solution says of each name."""
    *_, last, _ = text.splitlines()
    _, *people = text.splitlines()[0].split()
    names = dict(zip(people[1::2], people[::2], strict=True))
    return {names[one[0]]: one[2] == "T" for one in last.split() if one[1:2] == "="}


@pytest.mark.parametrize("people", [2, 3, 4])
def test_every_solution_ends_at_the_datasets_own(people: int) -> None:
    dataset = create_dataset("knights_knaves", n_people=people, size=400, seed=people)
    for entry in dataset:
        text = trace(entry)
        tries = [line for line in text.splitlines() if re.match(r"A=[TF] ", line)]
        order = ["".join(found) for found in itertools.product("TF", repeat=people)]
        assert ["".join(re.findall(r"[A-D]=([TF])", line)) for line in tries] == order[: len(tries)]
        assert all(line.endswith(" x") for line in tries[:-1]) and tries[-1].endswith(" ok")
        facts = entry["metadata"]
        assert solved(text) == dict(zip(facts["names"], facts["solution"], strict=True))
        answer = text.splitlines()[-1].removeprefix("<answer>").removesuffix("</answer>")
        assert dataset.score_answer(answer, entry) == 1.0


def test_puzzles_and_solutions_are_all_words_and_come_back_as_they_were() -> None:
    """What is left to single bytes is punctuation, letters that name people and line ends."""
    tokenizer = SUBJECTS["knights-knaves"].tokenizer()
    words = set(puzzle_words())
    for people in (2, 3, 4):
        for entry in create_dataset("knights_knaves", n_people=people, size=300, seed=people):
            text = entry["question"] + trace(entry)
            ids = tokenizer.encode(text)
            assert tokenizer.decode(ids) == text
            pieces = {str(tokenizer.decode([one])) for one in ids}
            assert all(len(piece) == 1 for piece in pieces - words - {"<answer>", "</answer>"})


@pytest.mark.parametrize("people", [2, 3, 4])
def test_the_longest_puzzle_and_the_longest_solution_fit(people: int) -> None:
    tokenizer = SUBJECTS["knights-knaves"].tokenizer()
    entries = list(create_dataset("knights_knaves", n_people=people, size=1000, seed=9))
    solution = max(len(tokenizer.encode(trace(entry) + END)) for entry in entries)
    prompt = max(len(tokenizer.encode(entry["question"])) for entry in entries) + len("UEA")
    assert 0.8 * PUZZLE_TOKENS[people] < solution < PUZZLE_TOKENS[people]
    assert prompt + PUZZLE_TOKENS[people] <= tokenizer.model_max_length
