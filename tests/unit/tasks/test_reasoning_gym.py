"""Tasks of reasoning-gym: the same everywhere, disjoint, judged by their own verifiers."""

import itertools
import json
import math
import re
from collections import Counter
from typing import Any

import pytest
import reasoning_gym

from rkd_online.errors import TaskError
from rkd_online.spec.task import ReasoningGymTask
from rkd_online.tasks.base import TaskSource, Verifier
from rkd_online.tasks.build import build_task
from rkd_online.tasks.reasoning_gym import difficulty
from rkd_online.tasks.verifiers import verifier
from rkd_online.types import Split

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def described(dataset: str, **fields: Any) -> ReasoningGymTask:
    sizes = {"train_size": 60, "validation_size": 40, "test_size": 40}
    return ReasoningGymTask.model_validate(
        {"type": "reasoning_gym", "dataset": dataset, **sizes, **fields}
    )


def gym(dataset: str, **fields: Any) -> TaskSource:
    return build_task(described(dataset, **fields))


def questions(task: TaskSource, split: Split) -> list[str]:
    return [task.problem(split, index).messages[0].content for index in range(task.size(split))]


@pytest.mark.parametrize("dataset", ["chain_sum", "knights_knaves", "coin_flip", "word_sorting"])
def test_no_question_is_in_two_splits(dataset: str) -> None:
    task = gym(dataset)
    asked = {split: set(questions(task, split)) for split in SPLITS}
    for one, other in itertools.combinations(SPLITS, 2):
        assert asked[one].isdisjoint(asked[other])


def test_splits_stay_disjoint_where_questions_repeat() -> None:
    """gcd of two numbers up to 6 has 36 questions for 140 places."""
    task = gym("gcd", config={"max_value": 6})
    asked = {split: questions(task, split) for split in SPLITS}
    assert [len(asked[split]) for split in SPLITS] == [60, 40, 40]
    assert sum(len(set(asked[split])) for split in SPLITS) <= 36
    assert not set(asked["train"]) & set(asked["test"])


def test_too_few_different_questions_are_an_error() -> None:
    """Of the four questions about 2 and 3 none belongs to the test split."""
    task = gym("gcd", config={"min_value": 2, "max_value": 3})
    with pytest.raises(TaskError, match=r"too few different questions .* for test problem 0"):
        task.problem("test", 0)


def test_a_problem_does_not_depend_on_those_asked_before() -> None:
    task, again = gym("chain_sum", seed=5), gym("chain_sum", seed=5)
    forward = [task.problem("test", index) for index in range(40)]
    backward = [again.problem("test", index) for index in reversed(range(40))]
    assert forward == backward[::-1]


def test_another_seed_gives_other_problems() -> None:
    one, other = gym("chain_sum", seed=0), gym("chain_sum", seed=1_000_000)
    assert not set(questions(one, "train")) & set(questions(other, "train"))


def test_a_question_of_a_split_is_one_of_the_datasets_own() -> None:
    dataset = reasoning_gym.create_dataset("chain_sum", seed=0, size=140)
    own = {dataset[index]["question"]: dataset[index]["answer"] for index in range(140)}
    task = gym("chain_sum")
    drawn_first = [
        problem
        for problem in (task.problem("train", index) for index in range(60))
        if problem.messages[0].content in own
    ]
    assert len(drawn_first) > 20
    for problem in drawn_first:
        assert problem.answer == own[problem.messages[0].content]


def gym_verifier(dataset: str, **fields: Any) -> Verifier:
    return verifier(described(dataset, **fields))


def test_the_verifier_is_the_datasets_own() -> None:
    """rush_hour has many right answers and no reference, chain_sum one, countdown part marks."""
    problem, verify = gym("chain_sum").problem("train", 0), gym_verifier("chain_sum")
    assert verify(problem, problem.answer) == 1.0
    assert verify(problem, "no number") == 0.0
    assert gym("rush_hour").problem("train", 0).answer == ""
    three = {"min_num_vertices": 3, "max_num_vertices": 3}
    colours = gym("graph_color", config=three).problem("train", 0)
    verify = gym_verifier("graph_color", config=three)
    assert verify(colours, json.dumps({"0": 1, "1": 2, "2": 3})) == 1.0
    assert verify(colours, "{}") < 1.0


def test_a_problem_keeps_the_entry_that_it_is_made_from() -> None:
    problem = gym("chain_sum").problem("train", 0)
    assert problem.record["question"] == problem.messages[0].content
    assert problem.record["metadata"]["source_dataset"] == "chain_sum"


def test_an_answer_that_breaks_the_verifier_is_wrong() -> None:
    problem = gym("prime_factorization").problem("train", 0)
    dataset = reasoning_gym.create_dataset("prime_factorization", seed=0, size=1)
    with pytest.raises(ValueError, match="invalid literal"):
        dataset.score_answer("two times three", dataset[0])
    assert gym_verifier("prime_factorization")(problem, "two times three") == 0.0


def scored(monkeypatch: pytest.MonkeyPatch, score: Any) -> float:
    dataset, _ = reasoning_gym.factory.DATASETS["chain_sum"]
    monkeypatch.setattr(dataset, "score_answer", lambda self, answer, entry: score())
    return gym_verifier("chain_sum")(gym("chain_sum").problem("train", 0), "1")


@pytest.mark.parametrize(("score", "clipped"), [(-0.5, 0.0), (1.5, 1.0), (0.25, 0.25)])
def test_scores_are_clipped(monkeypatch: pytest.MonkeyPatch, score: float, clipped: float) -> None:
    assert scored(monkeypatch, lambda: score) == clipped


def test_a_score_that_is_not_finite_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert math.isnan(scored(monkeypatch, lambda: math.nan))
    assert scored(monkeypatch, lambda: math.inf) == math.inf


def test_too_little_memory_is_no_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fill() -> float:
        raise MemoryError

    with pytest.raises(MemoryError):
        scored(monkeypatch, fill)


def test_difficulty_says_the_level_of_each_problem() -> None:
    task = gym("chain_sum", config={"min_terms": 2, "max_terms": 3, "max_digits": 1})
    found = Counter(task.problem("train", index).difficulty for index in range(60))
    assert set(found) == {"num_terms 2, num_digits 1", "num_terms 3, num_digits 1"}
    problem = task.problem("train", 0)
    terms = problem.messages[0].content.count(" + ") + problem.messages[0].content.count(" - ") + 1
    assert problem.difficulty == f"num_terms {terms}, num_digits 1"


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, "all"),
        ({"difficulty": None}, "all"),
        ({"difficulty": 1.0}, "difficulty 1"),
        ({"difficulty": {"n_people": 3, "weights": [0.5, 0.5]}}, "n_people 3"),
        ({"difficulty": {"n": (1, 16)}, "n": 4}, "n 4"),
        ({"difficulty": {"n": (1, 1000)}, "n": 4}, "all"),
        ({"difficulty": {"n": (1, 16)}, "n": [1, 2]}, "all"),
        ({"difficulty": {"n": (1, 16)}}, "all"),
    ],
)
def test_only_levels_that_group_problems_are_named(metadata: Any, expected: str) -> None:
    assert difficulty(metadata) == expected


def test_a_mixture_names_the_dataset_of_each_problem() -> None:
    parts = [{"name": "gcd", "weight": 1, "config": {}}, {"name": "lcm", "weight": 1, "config": {}}]
    mixture: dict[str, Any] = {"config": {"datasets": parts}}
    task, verify = gym("composite", **mixture), gym_verifier("composite", **mixture)
    problems = [task.problem("train", index) for index in range(60)]
    assert {problem.difficulty for problem in problems} == {"gcd: num_terms 2", "lcm: all"}
    assert all(verify(problem, problem.answer) == 1.0 for problem in problems)


def test_what_validation_finds_is_found_again_at_the_start() -> None:
    with pytest.raises(TaskError, match="did you mean 'knights_knaves'"):
        gym("knight_knaves")
    with pytest.raises(TaskError, match=r"task.config.seed: set task.seed instead"):
        gym("chain_sum", config={"seed": 1})


def staged(**fields: Any) -> dict[str, Any]:
    """A third of the training at levels 0 and 1, the rest at 2 to 4."""
    stages = [{"levels": [0, 1], "share": 1}, {"levels": [2, 4], "share": 2}]
    return {"curriculum": stages, **fields}


def terms(question: str) -> int:
    return len(re.findall(r"\d+", question))


def test_stages_go_through_their_levels_in_turn_and_held_out_splits_through_all() -> None:
    task = gym("chain_sum", **staged())
    train = [task.problem("train", index).difficulty for index in range(60)]
    assert train[:20] == ["level 0", "level 1"] * 10
    # Places are counted over the whole split: 20 is level 2 + 20 % 3.
    assert train[20:23] == ["level 4", "level 2", "level 3"]
    assert Counter(train[20:]) == {"level 2": 13, "level 3": 13, "level 4": 14}
    for split in ("validation", "test"):
        held_out = [task.problem(split, index).difficulty for index in range(40)]
        assert Counter(held_out) == {f"level {level}": 8 for level in range(5)}


def test_a_level_has_the_settings_of_the_datasets_curriculum() -> None:
    """chain_sum has 2 terms of 1 digit at level 0 and one more of each with every level."""
    task = gym("chain_sum", **staged())
    for index in range(60):
        problem = task.problem("train", index)
        level = int(problem.difficulty.removeprefix("level "))
        question = problem.messages[0].content
        assert terms(question) == level + 2
        assert {len(digits) for digits in re.findall(r"\d+", question)} == {level + 1}


def test_no_question_is_in_two_splits_at_whatever_level() -> None:
    """Pairs of one digit are few: they repeat within a split, and never across."""
    task = gym("chain_sum", curriculum=[{"levels": [0, 0]}, {"levels": [0, 1]}])
    asked = {split: set(questions(task, split)) for split in SPLITS}
    for one, other in itertools.combinations(SPLITS, 2):
        assert asked[one].isdisjoint(asked[other])


def test_answers_at_every_level_are_judged() -> None:
    task, verify = gym("chain_sum", **staged()), gym_verifier("chain_sum", **staged())
    problems = [task.problem("test", index) for index in range(5)]
    assert [verify(problem, problem.answer) for problem in problems] == [1.0] * 5
    assert [verify(problem, "no number") for problem in problems] == [0.0] * 5
