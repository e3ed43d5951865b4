"""Tasks of reasoning-gym: the same everywhere, disjoint, judged by their own verifiers."""

import itertools
import json
from collections import Counter
from typing import Any

import pytest
import reasoning_gym

from rkd_online.errors import TaskError
from rkd_online.spec.task import ReasoningGymTask
from rkd_online.tasks.base import TaskSource
from rkd_online.tasks.build import build_task
from rkd_online.tasks.reasoning_gym import difficulty
from rkd_online.types import Split

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def gym(dataset: str, **fields: Any) -> TaskSource:
    sizes = {"train_size": 60, "validation_size": 40, "test_size": 40}
    described = {"type": "reasoning_gym", "dataset": dataset, **sizes, **fields}
    return build_task(ReasoningGymTask.model_validate(described))


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


def test_the_verifier_is_the_datasets_own() -> None:
    """rush_hour has many right answers and no reference, chain_sum one, countdown part marks."""
    task = gym("chain_sum")
    problem = task.problem("train", 0)
    assert task.verify(problem, problem.answer) == 1.0
    assert task.verify(problem, "no number") == 0.0
    assert gym("rush_hour").problem("train", 0).answer == ""
    colours = gym("graph_color", config={"min_num_vertices": 3, "max_num_vertices": 3})
    proper = json.dumps({"0": 1, "1": 2, "2": 3})
    assert colours.verify(colours.problem("train", 0), proper) == 1.0
    assert colours.verify(colours.problem("train", 0), "{}") < 1.0


def test_an_answer_that_breaks_the_verifier_is_wrong() -> None:
    task = gym("prime_factorization")
    problem = task.problem("train", 0)
    dataset = reasoning_gym.create_dataset("prime_factorization", seed=0, size=1)
    with pytest.raises(ValueError, match="invalid literal"):
        dataset.score_answer("two times three", dataset[0])
    assert task.verify(problem, "two times three") == 0.0


@pytest.mark.parametrize(("score", "clipped"), [(-0.5, 0.0), (1.5, 1.0), (0.25, 0.25)])
def test_scores_are_clipped(monkeypatch: pytest.MonkeyPatch, score: float, clipped: float) -> None:
    task = gym("chain_sum")
    dataset, _ = reasoning_gym.factory.DATASETS["chain_sum"]
    monkeypatch.setattr(dataset, "score_answer", lambda self, answer, entry: score)
    assert task.verify(task.problem("train", 0), "1") == clipped


def test_a_score_that_is_no_number_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    task = gym("chain_sum")
    dataset, _ = reasoning_gym.factory.DATASETS["chain_sum"]
    monkeypatch.setattr(dataset, "score_answer", lambda self, answer, entry: float("nan"))
    with pytest.raises(TaskError, match="scored '1' with nan at train 0"):
        task.verify(task.problem("train", 0), "1")


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
    task = gym("composite", config={"datasets": parts})
    problems = [task.problem("train", index) for index in range(60)]
    assert {problem.difficulty for problem in problems} == {"gcd: num_terms 2", "lcm: all"}
    assert all(task.verify(problem, problem.answer) == 1.0 for problem in problems)


def test_what_validation_finds_is_found_again_at_the_start() -> None:
    with pytest.raises(TaskError, match="did you mean 'knights_knaves'"):
        gym("knight_knaves")
    with pytest.raises(TaskError, match=r"task.config.seed: set task.seed instead"):
        gym("chain_sum", config={"seed": 1})
