"""Requests, verdicts and what is counted, on a model whose answers are known."""

import asyncio

import pytest

from rkd_online.errors import ClusterError
from rkd_online.evaluation.evaluate import EvaluationResult, evaluate, measure
from rkd_online.evaluation.requests import greedy, temperature_one
from rkd_online.types import SamplingRequest
from tests.unit.evaluation.answers import Judge, Model, prompt

PROMPTS = [prompt(0), prompt(1, "hard"), prompt(4, "hard")]


def seed_of(seed: int, *path: int) -> int:
    return int("".join(str(number) for number in (seed, *path)))


def sampled(samples: int = 4) -> tuple[SamplingRequest, ...]:
    return temperature_one(PROMPTS, samples=samples, max_new_tokens=4, seed=7, sample_seed=seed_of)


def run(
    model: Model, judge: Judge, *, correct_at: float = 1.0, timeout: float = 30.0
) -> EvaluationResult:
    return asyncio.run(
        evaluate(model, judge, sampled(), correct_at=correct_at, timeout_seconds=timeout)
    )


def test_seeds_are_of_job_prompt_and_sample_under_step_zero() -> None:
    requests = sampled(samples=2)
    assert [request.seeds for request in requests] == [(7000, 7001), (7010, 7011), (7040, 7041)]
    assert {(request.temperature, request.top_p) for request in requests} == {(1.0, 1.0)}


def test_greedy_asks_each_prompt_once_at_temperature_zero() -> None:
    requests = greedy(PROMPTS, max_new_tokens=4)
    assert [(len(one.seeds), one.temperature, one.max_new_tokens) for one in requests] == [
        (1, 0.0, 4)
    ] * 3


def test_verdicts_are_in_the_order_of_the_requests_though_answers_came_in_another() -> None:
    assert run(Model(), Judge()).correct.tolist() == [
        [False, False, False, False],
        [True, False, False, False],
        [True, True, True, True],
    ]


def test_an_answer_is_correct_from_correct_at_on() -> None:
    assert run(Model(), Judge(), correct_at=0.5).correct.all()


def test_a_measurement_counts_every_answer() -> None:
    result = run(Model(), Judge())
    found = measure(result, result)
    # 5 of 12 correct; 1 + 2 + 3 + 4 tokens a prompt, of which the four-token answer is cut.
    assert found.pass_at_1.value == pytest.approx(5 / 12)
    assert found.tokens_per_answer == 2.5
    assert found.truncated_share == 0.25
    assert found.answers_per_second == 12 / result.seconds
    groups = {name: (one.value, one.n) for name, one in found.by_difficulty.items()}
    assert groups == {"easy": (0.0, 1), "hard": (0.625, 2)}


def test_a_judge_that_does_not_answer_is_named_after_the_timeout() -> None:
    with pytest.raises(ClusterError, match=r"0\.05 s for 3 prompts: 3 were answered, 0 judged"):
        run(Model(), Judge(never_answers=True), timeout=0.05)


def test_a_prompt_without_its_answers_is_named() -> None:
    with pytest.raises(ClusterError, match="asked 4 answers to prompt 'test:4' and got 0"):
        run(Model(missing=1), Judge())
