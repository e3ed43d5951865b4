"""The plan says what a job would do, in numbers that can be checked by hand."""

from pathlib import Path

import pytest

from rkd_online.spec.load import parse_spec
from rkd_online.spec.model_files import read_model
from rkd_online.spec.plan import describe_plan
from tests.tiny_models import make_tiny_model, tiny_causal_lm
from tests.unit.spec.job import job


@pytest.mark.parametrize("shards", [1, 2])
def test_parameters_are_counted_once_when_embeddings_are_tied(tmp_path: Path, shards: int) -> None:
    folder = make_tiny_model(tmp_path, "qwen3-tied", shards=2 if shards == 2 else 1)
    counted = sum(parameter.numel() for parameter in tiny_causal_lm("qwen3-tied").parameters())
    assert read_model(folder).parameters == counted == 78_528


def test_the_plan_counts_sequences_tokens_and_updates(tmp_path: Path) -> None:
    folder = str(make_tiny_model(tmp_path))
    spec = parse_spec(
        job(
            policy__model=folder,
            teacher__model=folder,
            steps=60,
            optimizer={"minibatches": 2, "epochs": 3},
            evaluation__every=20,
        )
    )
    plan = describe_plan(spec)
    for fact in (
        "tiny: rlad, 60 steps, seed 0",
        f"{folder}, Qwen3ForCausalLM, 78.53 K parameters, context 256",
        "chain_sum, 2 to 4 terms",
        "32 prompts x 8 = 256 sequences of at most 64 new tokens, temperature 1",
        "at most 16,384 sampled tokens; 983,040 in the whole job",
        "updates: 6 per step, 360 in all",
        "teacher, policy before and after: 256 test prompts x 4 samples (temperature 1), greedy",
        "every 20 steps on 64 validation prompts",
        # 2 (keys, values) x 2 layers x 1 head x 32 x 4 bytes = 512 bytes a token; 256 MiB / 512
        "KV cache 256 MiB for about 524,288 tokens",
        "together 3 CPU and 0 GPU, computing on cpu",
    ):
        assert fact in plan, plan


def test_the_plan_says_that_a_reference_is_kept() -> None:
    penalty = {"type": "grpo", "reference_kl": {"type": "k2", "beta": 0.01}}
    kept = "reference    the policy as loaded, kept in the learner for k2"
    assert kept in describe_plan(parse_spec(job(algorithm=penalty)))
    assert "reference" not in describe_plan(parse_spec(job()))


def test_the_plan_says_that_the_teacher_gives_candidates() -> None:
    drawn = {"type": "rlad", "teacher_divergence": {"type": "jsd", "k": 12, "weight": 1.0}}
    words = "log-probs by transformers, of its 12 most probable tokens too"
    assert words in describe_plan(parse_spec(job(algorithm=drawn)))
    assert "most probable" not in describe_plan(parse_spec(job()))


def test_a_model_of_the_hub_is_named_without_numbers() -> None:
    spec = parse_spec(job(policy__model="hf:a/b@c", teacher__model="hf:a/d@c"))
    assert "hf:a/b@c, fetched when the run starts" in describe_plan(spec)


def test_the_plan_says_how_old_rollouts_may_be_and_counts_all_workers() -> None:
    resources = {
        "generator": {"count": 2, "threads": 4},
        "scorer": {"count": 3, "cpus": 0.5},
        "learner": {"ranks": 4, "cpus": 2},
    }
    precision = {"generator": "bfloat16", "learner": "bfloat16"}
    spec = parse_spec(job(rollout__max_staleness=2, resources=resources, precision=precision))
    plan = describe_plan(spec)
    for fact in (
        "sampling and updates at the same time: rollouts at most 2 weight versions old, 3 steps'",
        "2 x generator: 1 CPU, 0 GPU, tensor threads 4, bfloat16, KV cache",
        "3 x scorer: 0.5 CPU, 0 GPU, tensor threads 1, float32",
        "4 x learner rank: 2 CPU, 0 GPU, tensor threads 1, bfloat16",
        "together 11.5 CPU and 0 GPU, computing on cpu",
    ):
        assert fact in plan
    assert "strictly on-policy" in describe_plan(parse_spec(job()))
