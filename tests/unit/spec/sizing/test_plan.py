"""Plans of real jobs: golden figures from arithmetic by hand, refusals, and splits that fit."""

import json
from pathlib import Path
from typing import Any

import pytest

from rkd_online.errors import SpecError
from rkd_online.spec.load import parse_spec
from rkd_online.spec.sizing.gpus import KNOWN
from rkd_online.spec.sizing.layout import Layout
from rkd_online.spec.sizing.parts import GIB, MIB
from rkd_online.spec.sizing.plan import Asked, make_plan
from rkd_online.spec.sizing.refusals import memory_problems
from rkd_online.spec.sizing.source import known_models, sized_models
from rkd_online.spec.sizing.split import actors_on, best_split
from tests.unit.spec.sizing.sized import actor, part, planned, real

POLICY, TEACHER = 1_720_574_976, 8_190_735_360
SEQUENCE = 1024 + 3072
STEP = 32 * 8


def test_a_learner_holds_16_bytes_of_each_parameter_and_a_micro_batch() -> None:
    found = actor(planned(real()), "learner")
    held = [part(found, name) for name in ("weights", "moments", "gradient")]
    assert held == [4 * POLICY, 8 * POLICY, 4 * POLICY]
    # 16,384 tokens keep the input of each of 28 layers, 2048 numbers of 4 bytes.
    assert part(found, "activations") == 16_384 * 28 * 2048 * 4
    # Probabilities of 2^25 in bfloat16, logits and probabilities of 2^24 in float32.
    assert part(found, "head chunks", "update, at the head") == (2 << 25) + (8 << 24)


def test_a_reference_is_the_policy_once_more() -> None:
    kl = {"type": "grpo", "reference_kl": {"type": "k3", "beta": 0.01}}
    found = actor(planned(real(algorithm=kl)), "learner")
    assert part(found, "reference", "publish") == 4 * POLICY
    load = next(one for one in found.moments if one.name == "load")
    assert load.bytes == 2 * 4 * POLICY


def test_ranks_share_all_but_the_loaded_weights() -> None:
    data = real(resources__learner={"gpus": 1, "ranks": 4})
    found = actor(planned(data), "learner")
    assert found.count == 4
    assert part(found, "moments") == 2 * POLICY
    load = next(one for one in found.moments if one.name == "load")
    assert load.bytes == 4 * POLICY


def test_a_teacher_by_torch_is_float32_with_copies_of_its_matrices() -> None:
    found = actor(planned(real()), "scorer")
    assert part(found, "weights") == 4 * TEACHER
    # 36 layers of attention 2 x 4096 x (4096 + 1024) and feed-forward 3 x 4096 x 12288.
    assert part(found, "copies") == 2 * 36 * (41_943_040 + 150_994_944)


def test_a_cache_holds_so_many_sequences_of_full_length() -> None:
    plan = planned(real())
    # 28 layers of 8 heads of 128, keys and values, in bfloat16.
    each = 2 * 28 * 8 * 128 * 2
    assert plan.models[0].kv_bytes_per_token == each == 114_688
    found = actor(plan, "generator")
    (words,) = [one.words for at in found.moments for one in at.parts if one.name == "KV cache"][:1]
    sequences = 16_384 * 2**20 / (each * SEQUENCE)
    assert words == f"149,796 tokens of 114,688 bytes: {sequences:.1f} sequences of 4,096"


def test_an_engine_that_is_split_holds_its_share() -> None:
    generator = {"gpus": 4, "tensor_parallel": 4, "kv_cache_mib": 16384}
    plan = planned(real(resources__generator=generator))
    found = actor(plan, "generator")
    small = 28 * (2 * 2048 + 2 * 128) + 2048
    assert part(found, "weights") == 2 * ((POLICY - small) / 4 + small)
    assert plan.models[0].kv_bytes_per_token == 114_688 // 4


def test_tokens_of_a_step_and_of_the_job() -> None:
    plan = planned(real(evaluation={"prompts": 10, "samples": 4, "every": 1, "every_prompts": 5}))
    worst, mean = plan.loads
    assert worst.sampled_tokens_per_step == STEP * 3072
    assert worst.packed_tokens_per_step == STEP * 3072 + 32 * 1024
    assert worst.sampled_tokens_of_job == 3 * STEP * 3072
    # Teacher, policy before and after: 10 prompts of 4 samples and a greedy one; 3 validations.
    assert worst.evaluation_tokens_of_job == (3 * 10 * 5 + 3 * 5) * 3072
    assert (mean.prompt_tokens, mean.new_tokens) == (512, 1536)


def test_operations_of_a_step() -> None:
    plan = planned(real(), prompt_tokens=100, new_tokens=200)
    mean = plan.loads[1]
    body, head = 28 * (2 * 2048 * (2048 + 1024) + 3 * 2048 * 6144), 151_936 * 2048
    tokens, new = 32 * (100 + 8 * 200), STEP * 200
    pairs = 32 * 100**2 / 2 + new * (100 + 100)
    attention = 4 * 28 * 2048 * pairs
    assert mean.generator_flops == 2 * body * tokens + 2 * head * new + attention
    # Layers: forward, forward again, and twice as much backward; the head likewise.
    assert mean.learner_flops == 4 * (2 * body * tokens + attention) + 8 * head * new


def test_more_passes_are_counted() -> None:
    once = planned(real()).loads[0].learner_flops
    twice = planned(real(optimizer__epochs=2)).loads[0].learner_flops
    assert twice > 2 * once


def test_staleness_lets_the_slowest_role_alone_count() -> None:
    apart, together = planned(real()), planned(real(rollout__max_staleness=1))
    first, second = apart.loads[1].seconds, together.loads[1].seconds
    assert first is not None and second is not None
    assert first.step == max(first.generator, first.scorer) + first.learner
    assert second.step == max(second.generator, second.scorer, second.learner)


def test_memory_that_holds_nothing_is_refused_with_the_arithmetic() -> None:
    plan = planned(real(), usable=0.05)
    assert [one.partition(":")[0] for one in plan.problems] == [
        "resources.learner",
        "teacher",
        "resources.generator",
        "teacher in evaluations",
    ]
    assert "= 20.4 GiB (generator of hf:Qwen/Qwen3-1.7B@" in plan.problems[2]
    assert (
        "is above the 4.0 GiB that may be used: lower resources.generator.kv_cache_mib"
        in (plan.problems[2])
    )


def test_a_micro_batch_that_is_too_large_is_what_to_lower() -> None:
    plan = planned(real(optimizer__activation_checkpointing=False))
    (problem,) = plan.problems
    assert problem.startswith("resources.learner: activations ")
    assert problem.endswith(
        "set optimizer.activation_checkpointing true or lower optimizer.micro_batch_tokens"
    )


def test_more_gpus_than_there_are_are_refused() -> None:
    assert planned(real(), gpus=2).problems == (
        "resources: 1 (learner) + 1 (scorer) + 1 (generator) = 3 GPUs, there are 2: lower "
        "resources.*.count, .ranks or .gpus",
    )


def test_a_share_of_a_gpu_has_its_share_of_the_memory() -> None:
    shared = {"gpus": 0.25, "kv_cache_mib": 16384}
    problems = planned(real(resources__generator=shared)).problems
    assert "is above the 18.0 GiB of 0.25 GPU that may be used" in problems[0]


def test_heads_that_cannot_be_split_are_named() -> None:
    generator = {"gpus": 3, "tensor_parallel": 3, "kv_cache_mib": 16384}
    problems = planned(real(resources__generator=generator)).problems
    assert problems[0] == (
        "resources.generator.tensor_parallel: 3 does not divide the policy's 16 attention heads "
        "with 8 key and value heads: set one of 1, 2, 4, 8, 16"
    )


def test_a_teacher_s_heads_are_split_by_its_own_scorer() -> None:
    data = real(teacher={"model": "hf:Qwen/Qwen3-8B@main"}, resources__scorer={"gpus": 5})
    data["teacher"]["scorer"] = {"type": "vllm", "tensor_parallel": 5}
    (problem,) = [one for one in planned(data).problems if "scorer.tensor_parallel" in one]
    assert problem.startswith("teacher.scorer.tensor_parallel: 5 does not divide the teacher's 32")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"rollout__max_new_tokens": 40_960},
            "leaves no room for a prompt in the policy's context",
        ),
        ({"optimizer__micro_batch_tokens": 4095}, "4,095 is below one sequence of 4,096 tokens"),
        (
            {"resources__generator": {"gpus": 1, "kv_cache_mib": 512}},
            "512 holds no sequence of 4,096 tokens of the teacher: set at least 576",
        ),
    ],
)
def test_a_sequence_that_fits_nowhere_is_refused(changes: dict[str, Any], words: str) -> None:
    assert any(words in one for one in planned(real(**changes)).problems)


def test_a_model_that_is_nowhere_says_what_is_missing() -> None:
    with pytest.raises(SpecError, match=r"policy.model: hf:a/b@main is neither in the hub's cache"):
        planned(real(policy__model="hf:a/b@main"))


def test_a_configuration_that_is_given_goes_first(tmp_path: Path) -> None:
    content, _ = known_models()["Qwen/Qwen3-0.6B"]
    (tmp_path / "config.json").write_text(json.dumps(content))
    plan = planned(real(policy__model="hf:a/b@main"), configs={"policy": tmp_path})
    assert plan.models[0].parameters == 596_049_920
    assert plan.models[0].source == str(tmp_path / "config.json")
    with pytest.raises(SpecError, match="--config student: the job has no such model"):
        planned(real(), configs={"student": tmp_path})


def test_the_hub_s_cache_goes_before_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    content, _ = known_models()["Qwen/Qwen3-0.6B"]
    folder = tmp_path / "models--a--b"
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc" / "config.json").write_text(json.dumps(content))
    for revision in ("main", "abc"):
        plan = planned(real(policy__model=f"hf:a/b@{revision}"))
        assert plan.models[0].parameters == 596_049_920


@pytest.mark.parametrize("gpus", [3, 5, 8, 32])
@pytest.mark.parametrize("scorer", ["transformers", "vllm"])
def test_what_is_suggested_fits_and_is_a_job(gpus: int, scorer: str) -> None:
    data = real()
    data["teacher"]["scorer"] = {"type": scorer}
    spec = parse_spec(data)
    layout = Layout(spec, sized_models(spec, {}))
    room = 72 * GIB
    found = best_split(layout, layout.work, KNOWN["h100"], gpus, room)
    assert found is not None and found.gpus <= gpus
    assert list(memory_problems(actors_on(layout, found), room)) == []
    parse_spec(data | {"resources": found.resources(1)})


def test_more_gpus_make_no_step_longer() -> None:
    times = []
    for gpus in (3, 4, 8, 16):
        suggestion = planned(real(), gpus=gpus).suggestion
        assert suggestion is not None
        times.append(suggestion.seconds.step)
    assert times == sorted(times, reverse=True)


def test_too_few_gpus_have_no_split() -> None:
    assert planned(real(), gpus=2).suggestion is None


def test_a_suggestion_says_what_else_has_to_change() -> None:
    plan = planned(real(optimizer__activation_checkpointing=False), gpus=8)
    assert plan.suggestion is not None
    assert plan.suggestion.changes == {"optimizer.activation_checkpointing": True}


def test_a_job_on_a_cpu_is_held_against_the_machine() -> None:
    data = real(
        policy__model="zoo:chain-sum/student",
        teacher__model="zoo:chain-sum/teacher",
        rollout__max_new_tokens=64,
        resources={},
        precision={},
    )
    plan = make_plan(parse_spec(data), Asked(KNOWN["h100"], host=4 * GIB))
    assert plan.problems == ()
    transit = actor(plan, "weights in transit")
    assert transit.bytes == 3 * 4 * plan.models[0].parameters
    assert all(part.name != "process" for part in transit.moments[0].parts)
    for role, mib in (("learner", 450), ("scorer", 450), ("generator", 640)):
        for moment in actor(plan, role).moments:
            own = {part.name: part.bytes for part in moment.parts}
            assert own["process"] == mib * MIB, f"{role}, {moment.name}"
    sampled = actor(plan, "generator").moments[0]
    head = next(part for part in sampled.parts if part.name == "packed head")
    assert head.bytes == 4 * 263 * 128
    small = make_plan(parse_spec(data), Asked(KNOWN["h100"], host=GIB // 8))
    (problem,) = small.problems
    assert "is above the 0.12 GiB that may be used" in problem
    assert plan.loads[0].seconds is None
