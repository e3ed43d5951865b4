"""What a job measures, and what its plan says of the cost."""

from typing import Any

import pytest

from rkd_online.errors import SpecError
from rkd_online.spec.load import parse_spec
from rkd_online.spec.plan import describe_plan
from tests.unit.spec.job import job


def plan(**changes: Any) -> str:
    return describe_plan(parse_spec(job(**changes)))


def test_by_default_a_model_answers_at_temperature_one_and_greedily() -> None:
    shown = plan()
    assert "teacher, policy before and after: 256 test prompts x 4 samples (temperature 1)" in shown
    # 3 models x 256 prompts x (4 + 1) answers, each of 64 tokens at most.
    assert "at most 3,840 answers, 245,760 sampled tokens" in shown


def test_every_decoding_that_samples_costs_its_samples() -> None:
    shown = plan(evaluation={"prompts": 10, "samples": 32, "decoding": ["papers", "temperature_1"]})
    assert "10 test prompts x 32 samples (temperature 0.6, top-p 0.95; temperature 1)\n" in shown
    assert "at most 1,920 answers, 122,880 sampled tokens" in shown


def test_greedy_alone_draws_one_answer() -> None:
    shown = plan(
        teacher=None,
        algorithm={"type": "grpo"},
        evaluation={"decoding": ["greedy"], "every": 3, "every_samples": 8},
    )
    assert "policy before and after: 256 test prompts, greedy\n" in shown
    assert "at most 512 answers, 32,768 sampled tokens" in shown
    assert "every 3 steps on 64 validation prompts, one sample each" in shown


def test_validation_may_ask_several_answers() -> None:
    shown = plan(evaluation={"every": 3, "every_prompts": 32, "every_samples": 8})
    assert "every 3 steps on 32 validation prompts, 8 samples each" in shown


@pytest.mark.parametrize(
    ("decoding", "message"),
    [
        ([], "evaluation.decoding: found [], should have at least 1 item"),
        (["greedy", "greedy"], "evaluation.decoding: found ['greedy', 'greedy'], should name each"),
        (
            ["paper"],
            "evaluation.decoding.0: found 'paper', should be 'temperature_1', 'papers' or ",
        ),
    ],
)
def test_what_is_no_choice_of_decodings_is_refused(decoding: list[str], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(job(evaluation={"decoding": decoding}))
    assert message in str(caught.value)
