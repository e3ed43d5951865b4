"""Fields of a job that fit alone but not together."""

from typing import Any

import pytest

from rkd_online.errors import SpecError
from rkd_online.spec.load import parse_spec
from tests.unit.spec.job import job

DRAWN: dict[str, Any] = {"type": "forward", "weight": 0.5}
IN_TURN: list[dict[str, Any]] = [
    {
        "algorithm": {"type": "opd", "teacher_divergence": DRAWN},
        "until": {"type": "step", "step": 1},
    },
    {"algorithm": {"type": "grpo", "teacher_divergence": DRAWN | {"k": 8}}},
]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            {k: v for k, v in job().items() if k != "teacher"},
            "algorithm.type 'rlad' needs a teacher: add teacher.model",
        ),
        (
            job(teacher=None, algorithm={"type": "grpo", "teacher_divergence": DRAWN}),
            "algorithm.teacher_divergence.type 'forward' needs a teacher: add teacher.model",
        ),
        (
            {k: v for k, v in job(phases=IN_TURN).items() if k != "algorithm"},
            "the teacher scores a rollout once for all phases, found phases.0.algorithm."
            "teacher_divergence.k 64, phases.1.algorithm.teacher_divergence.k 8: set one k",
        ),
        (
            job(
                algorithm={"type": "grpo", "teacher_divergence": DRAWN},
                rollout__dynamic_sampling={"type": "refill"},
            ),
            "rollout.dynamic_sampling.type 'refill' drops groups from which grpo would learn; set "
            "'off', or one of the algorithms cispo, grpo, gspo, rlad, rlsd without "
            "teacher_divergence",
        ),
        (
            job(rollout__temperature=0.7, teacher__scorer={"type": "vllm"}),
            "rollout.temperature 0.7 does not fit teacher.scorer.type 'vllm', whose log-probs are "
            "always at temperature 1: set rollout.temperature 1.0 or teacher.scorer.type "
            "'transformers'",
        ),
        (
            job(rollout__max_staleness=2, algorithm__sampler_correction={"type": "none"}),
            "rollout.max_staleness 2 samples with older weights, which algorithm.sampler_correction"
            ".type 'none' leaves uncorrected: set rollout.max_staleness 0 or "
            "algorithm.sampler_correction.type 'truncate'",
        ),
        (
            job(rollout__kv_on_update="keep"),
            "rollout.kv_on_update 'keep' needs rollouts in flight during an update, "
            "rollout.max_staleness is 0: set rollout.max_staleness to 1 or more, or leave "
            "rollout.kv_on_update out",
        ),
        (
            job(optimizer__minibatches=5),
            "optimizer.minibatches 5 does not divide rollout.prompts_per_step 32",
        ),
        (
            job(checkpoint__best_metric="validation/pass_at_1", evaluation__every=15),
            "checkpoint.best_metric 'validation/pass_at_1' needs an evaluation at each checkpoint: "
            "checkpoint.every is 20, evaluation.every 15; set evaluation.every 20",
        ),
        (
            job(rewards=[{"type": "finished"}]),
            "rewards need exactly one of type 'verifier', or of type 'installed' with "
            "verdict true, found 0",
        ),
        (
            job(rewards=[{"type": "verifier"}, {"type": "verifier"}]),
            "rewards need exactly one of type 'verifier', or of type 'installed' with "
            "verdict true, found 2",
        ),
        (
            job(task={"type": "chain_sum", "min_terms": 4, "max_terms": 2}),
            "task.min_terms 4 is above task.max_terms 2",
        ),
        (
            job(resources={"device": "cuda", "generator": {"gpus": 0.5}}),
            "resources.device 'cuda' needs GPUs, found 0: set resources.learner.gpus, "
            "resources.scorer.gpus above 0",
        ),
        (
            job(resources={"learner": {"gpus": 1}, "scorer": {"gpus": 0.5}}),
            "resources.device 'cpu' leaves GPUs idle, found resources.learner.gpus 1, "
            "resources.scorer.gpus 0.5: set each to 0, or resources.device 'cuda'",
        ),
    ],
)
def test_fields_that_do_not_fit_each_other_are_named(data: dict[str, Any], expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(data)
    assert str(caught.value) == expected


def test_the_transformers_scorer_takes_any_temperature() -> None:
    spec = parse_spec(job(rollout__temperature=0.7, teacher__scorer={"type": "transformers"}))
    assert spec.rollout.temperature == 0.7


def test_the_reward_alone_needs_no_teacher_and_its_scorer_no_gpu() -> None:
    one = {"gpus": 1}
    resources = {"device": "cuda", "generator": one, "learner": one}
    data = job(algorithm={"type": "grpo"}, resources=resources)
    del data["teacher"]
    assert parse_spec(data).teacher is None
