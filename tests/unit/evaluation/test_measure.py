"""From judged answers to counts, and from counts to a measurement."""

from dataclasses import replace

import pytest

from rkd_online.evaluation.count import count
from rkd_online.evaluation.measure import measure
from rkd_online.evaluation.reading import Reader, Reading
from rkd_online.evaluation.tally import Tally
from rkd_online.types import ScoredGroup, TokenIds, token_ids
from tests.unit.evaluation.answers import prompt, scored, unjudged

END = 9
WORDS = {1: "one", 2: " ", 3: "\n", 4: "<answer>", END: "<end>"}


def reader() -> Reader:
    """Token 4 is where an answer is found."""
    return Reader(
        lambda ids: "".join(WORDS[token] for token in ids),
        lambda text: text if "<answer>" in text else None,
        (END,),
    )


def read(task: str, completion_ids: TokenIds) -> Reading:
    return reader()(completion_ids)


TASKS = ["sum", "sum"]
GROUPS = (
    ScoredGroup(
        0,
        prompt(0),
        (
            scored(0, [1, 2, 4, END], 1.0),
            scored(1, [1, 3, 2, 4], 1.0, cut=True),  # the same but for its spacing
            scored(2, [4, END], 1.0),
            scored(3, [1, END], 0.5),
        ),
    ),
    ScoredGroup(
        1,
        prompt(1, "hard"),
        (
            unjudged(0, [1, 4, END]),
            scored(1, [1, 1], 0.0, cut=True),
            scored(2, [4, END], 0.0),
            scored(3, [4, END], 0.25),
        ),
    ),
)
TALLY = Tally(
    samples=4,
    correct=(3, 0),
    solutions=((2, 1), ()),
    tokens=(12, 9),
    truncated=(1, 1),
    answered=(3, 3),
    unjudged=(0, 1),
    reward_parts={"format": (4.0, 3.0), "verifier": (3.5, 0.25)},
)


def test_a_reading_drops_the_end_token_and_evens_out_white_space() -> None:
    read = reader()
    assert read(token_ids([3, 1, 2, 3, 1, END])) == Reading(answered=False, solution="one one")
    assert read(token_ids([1, 2, 4])) == Reading(answered=True, solution="one <answer>")
    assert read(token_ids([])) == Reading(answered=False, solution="")


def test_every_answer_is_counted_once() -> None:
    assert count(GROUPS, read, correct_at=1.0) == TALLY


def test_from_a_lower_bound_on_more_answers_are_correct_and_solutions() -> None:
    found = count(GROUPS, read, correct_at=0.5)
    assert (found.correct, found.solutions) == ((4, 0), ((2, 1, 1), ()))


def test_a_measurement_is_the_mean_over_prompts() -> None:
    lengths = [4, 4, 2, 2, 3, 2, 2, 2]
    found = measure(TALLY, TASKS, ["easy", "hard"], lengths, seconds=0.5)
    assert found.samples == 4
    # Of the first prompt's 6 pairs of answers all hold a correct one, of the second's none.
    assert {k: one.value for k, one in found.pass_at_k.items()} == {1: 0.375, 2: 0.5, 4: 0.5}
    assert found.pass_at_1.n == 2
    # The first prompt's answers are a, a, b and a wrong one: its pairs hold 1, 2, 1, 2, 1 and 1
    # solutions. The second prompt has none.
    assert found.distinct_correct[2].value == pytest.approx(8 / 6 / 2)
    assert found.distinct_correct[4].value == 1.0
    assert found.truncated_share.value == 0.25
    assert found.answered_share.value == 0.75
    assert found.unjudged == 1
    assert found.answers_per_second == 16.0


def test_rewards_of_answers_without_a_verdict_count_as_nothing() -> None:
    found = measure(TALLY, TASKS, ["easy", "hard"], [2] * 8, seconds=1.0).reward_parts
    assert found["format"].value == 7 / 8
    assert found["verifier"].value == 3.75 / 8


def test_difficulty_groups_are_measured_alone_in_alphabetical_order() -> None:
    found = measure(TALLY, TASKS, ["hard", "easy"], [2] * 8, seconds=1.0).by_difficulty
    values = {name: {k: one.value for k, one in ks.items()} for name, ks in found.items()}
    assert values == {"easy": {1: 0.0, 2: 0.0, 4: 0.0}, "hard": {1: 0.75, 2: 1.0, 4: 1.0}}
    assert list(found) == ["easy", "hard"]


def test_tasks_are_measured_alone() -> None:
    found = measure(TALLY, ["short", "long"], ["a", "a"], [2] * 8, seconds=1.0).by_task
    assert {name: one[1].value for name, one in found.items()} == {"long": 0.0, "short": 0.75}
    assert {name: one[1].n for name, one in found.items()} == {"long": 1, "short": 1}


def of_task(task: str, *parts: dict[str, float]) -> ScoredGroup:
    asked = replace(prompt(0), task=task)
    return ScoredGroup(0, asked, tuple(replace(scored(0, [1], 0.0), reward_parts=p) for p in parts))


def test_a_part_of_the_reward_is_a_mean_over_the_tasks_that_have_it() -> None:
    """Nothing could be judged of the last prompt; its task has both parts all the same."""
    lost = ScoredGroup(0, replace(prompt(0), task="long"), (unjudged(0, [1]), unjudged(1, [1])))
    groups = [
        of_task("short", {"verifier": 1.0}, {"verifier": 0.5}),
        of_task("long", {"verifier": 0.0, "format": 1.0}, {"verifier": 1.0, "format": 1.0}),
        lost,
    ]
    tally = count(groups, read, correct_at=1.0)
    assert tally.reward_parts == {"format": (None, 2.0, 0.0), "verifier": (1.5, 1.0, 0.0)}
    found = measure(tally, ["short", "long", "long"], ["a"] * 3, [1] * 6, seconds=1.0).reward_parts
    assert (found["format"].value, found["format"].n) == (0.5, 2)
    assert (found["verifier"].value, found["verifier"].n) == (2.5 / 6, 3)


def test_lengths_are_of_all_answers() -> None:
    lengths = measure(TALLY, TASKS, ["a", "a"], [1, 2, 3, 4, 5, 6, 7, 11], seconds=1.0).tokens
    # 12 and 9 tokens of four answers each; quantiles between the sorted lengths.
    assert lengths.mean.value == 2.625
    assert (lengths.median, lengths.longest) == (4.5, 11)
    assert (lengths.p10, lengths.p90) == pytest.approx((1.7, 8.2))
