"""Requests and their answers, on a model whose answers are known."""

import asyncio

import pytest

from rkd_online.errors import ClusterError
from rkd_online.evaluation.count import is_correct
from rkd_online.evaluation.evaluate import Answered, evaluate
from rkd_online.evaluation.requests import evaluation_requests
from rkd_online.spec.decoding import Decoding
from rkd_online.types import SamplingRequest
from tests.unit.evaluation.answers import Judge, Model, prompt, unjudged

PROMPTS = [prompt(0), prompt(1, "hard"), prompt(4, "hard")]


def seed_of(seed: int, *path: int) -> int:
    return int("".join(str(number) for number in (seed, *path)))


def asked(decoding: Decoding = "temperature_1", *, samples: int = 4) -> tuple[SamplingRequest, ...]:
    return evaluation_requests(
        PROMPTS, decoding, samples=samples, max_new_tokens=4, seed=7, sample_seed=seed_of
    )


def run(model: Model, judge: Judge, *, timeout: float = 30.0) -> tuple[Answered, list[int]]:
    heard: list[int] = []
    answered = asyncio.run(
        evaluate(model, judge, asked(), timeout_seconds=timeout, on_group=heard.append)
    )
    return answered, heard


def verdicts(answered: Answered, correct_at: float) -> list[list[bool]]:
    return [[is_correct(one, correct_at) for one in group.rollouts] for group in answered.groups]


@pytest.mark.parametrize(
    ("decoding", "temperature", "top_p"),
    [("temperature_1", 1.0, 1.0), ("papers", 0.6, 0.95)],
)
def test_seeds_are_of_job_prompt_and_sample_under_step_zero_by_every_decoding(
    decoding: Decoding, temperature: float, top_p: float
) -> None:
    requests = asked(decoding, samples=2)
    assert [request.seeds for request in requests] == [(7000, 7001), (7010, 7011), (7040, 7041)]
    assert {(one.temperature, one.top_p) for one in requests} == {(temperature, top_p)}


def test_greedy_asks_each_prompt_once_at_temperature_zero() -> None:
    requests = asked("greedy")
    assert [(len(one.seeds), one.temperature, one.max_new_tokens) for one in requests] == [
        (1, 0.0, 4)
    ] * 3


def test_groups_are_in_the_order_of_the_requests_though_answers_came_in_another() -> None:
    answered, heard = run(Model(), Judge())
    assert verdicts(answered, 1.0) == [
        [False, False, False, False],
        [True, False, False, False],
        [True, True, True, True],
    ]
    assert heard == [1, 2, 3]


def test_an_answer_is_correct_from_correct_at_on() -> None:
    answered, _ = run(Model(), Judge())
    assert all(all(row) for row in verdicts(answered, 0.5))


def test_an_answer_that_was_not_judged_is_not_correct() -> None:
    assert not is_correct(unjudged(0, [5, 6]), 0.001)


def test_a_judge_that_does_not_answer_is_named_after_the_timeout() -> None:
    with pytest.raises(ClusterError, match=r"0\.05 s for 3 prompts: 3 were answered, 0 judged"):
        run(Model(), Judge(never_answers=True), timeout=0.05)


def test_a_prompt_without_its_answers_is_named() -> None:
    with pytest.raises(ClusterError, match="asked 4 answers to prompt 'test:4' and got 0"):
        run(Model(missing=1), Judge())
