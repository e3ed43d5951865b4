"""Whole runs of other shapes than the quickstart: real engine, real updates, one process.

What a run recorded is compared with plain Hugging Face forwards of the weights that it kept.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, PreTrainedModel

from rkd_online.metrics.names import METRICS
from rkd_online.tasks.build import build_task
from rkd_online.types import StepReport
from rkd_online.zoo import zoo_path
from tests.integration.run.finished_run import (
    OF_OWN_PROCESSES,
    PROMPTS,
    SIBLINGS,
    TOLERANCE,
    Row,
    Run,
    load,
    logprobs,
    run,
)
from tests.tiny_models import END_TOKEN_IDS, make_tiny_model

SPLITS = {"train": 8, "validation": 4, "test": 3}
WARM = 0.8


CANDIDATES = 4
MODELS = ("policy/kl_reference", "teacher/divergence", "teacher/top_k_mass")
"""Metrics of jobs that ask for a reference, or for the teacher's distribution."""


def assert_metrics_are_listed(steps: Sequence[StepReport], *absent: str) -> None:
    for step in steps:
        assert set(step.metrics) == set(METRICS) - OF_OWN_PROCESSES - set(absent)


def assert_advantages_are_group_relative(rows: Sequence[Row]) -> None:
    for first in range(0, len(rows), SIBLINGS):
        group = rows[first : first + SIBLINGS]
        assert len({row["group_id"] for row in group}) == 1
        rewards = np.array([row["reward"] for row in group])
        expected = (rewards - rewards.mean()) / (rewards.std() + 1e-6)
        assert [row["advantage"] for row in group] == pytest.approx(expected.tolist(), abs=1e-9)


@pytest.fixture(scope="module")
def grpo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three steps of a sharded Llama without a teacher, four optimizer steps in each."""
    root = tmp_path_factory.mktemp("grpo")
    make_tiny_model(root / "llama", "llama-untied", shards=2)
    for split, size in SPLITS.items():
        lines = [{"prompt": f"{split} {i}: 1 + {i}", "answer": i + 1} for i in range(size)]
        (root / f"{split}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    files = {split: str(root / f"{split}.jsonl") for split in SPLITS}
    return run(
        root,
        "grpo",
        policy={"model": str(root / "llama")},
        task={"type": "file", "match": "numeric"} | files,
        prompt={"type": "chat", "system": "Add.", "thinking": False},
        rewards=[{"type": "verifier", "extractor": "last_number"}, {"type": "finished"}],
        algorithm={"type": "grpo"},
        rollout={"max_new_tokens": 40},
        optimizer={
            "learning_rate": 1e-3,
            "minibatches": 2,
            "epochs": 2,
            "schedule": {"type": "cosine", "warmup_steps": 1, "final_fraction": 0.1},
        },
        steps=3,
    )


def test_the_report_has_no_teacher_and_says_so(grpo: Run) -> None:
    report = json.loads(grpo.folder.report.read_text())
    assert report["gap_closed"] is None
    assert report["gap_closed_reason"] == "the job has no teacher"
    for measured in ("pass_at_1", "tokens_per_answer", "answers_per_second"):
        assert report[measured]["teacher"] is None
        assert report[measured]["student_after"] is not None
    for decoding in ("temperature_1", "greedy"):
        assert report["decodings"][decoding]["teacher"] is None
    assert report["pass_at_1"]["student_before"]["n"] == SPLITS["test"]
    assert not (grpo.folder.evaluations / "teacher.json").exists()


def test_metrics_are_those_of_a_job_without_a_teacher(grpo: Run) -> None:
    assert_metrics_are_listed(
        grpo.steps,
        *("policy/kl_teacher", "policy/clamp_low_share", "policy/clamp_high_share"),
        *("teacher/agreement", *MODELS),
    )


def test_the_learning_rate_follows_the_schedule(grpo: Run) -> None:
    rates = [step.metrics["optimizer/learning_rate"] for step in grpo.steps]
    # A cosine from 1 to 0.1 over two steps is halfway, at 0.55, after one.
    assert rates == pytest.approx([1e-3, 5.5e-4, 1e-4])


def test_old_logprobs_are_those_of_the_weights_before_the_step(grpo: Run) -> None:
    for step in (1, 2, 3):
        assert grpo.differences("old_logprobs", step, grpo.checkpoint(step - 1)) <= TOLERANCE
        assert grpo.differences("sampler_logprobs", step, grpo.checkpoint(step - 1)) <= TOLERANCE
        assert grpo.differences("old_logprobs", step, grpo.checkpoint(step)) > 10 * TOLERANCE


def test_no_rollout_has_teacher_logprobs(grpo: Run) -> None:
    for step in (1, 2, 3):
        rows = grpo.rows(step)
        assert len(rows) == PROMPTS * SIBLINGS
        assert [row["teacher_logprobs"] for row in rows] == [None] * len(rows)
        assert_advantages_are_group_relative(rows)


def test_prompts_go_through_the_chat_template(grpo: Run) -> None:
    tokenizer = AutoTokenizer.from_pretrained(grpo.spec.policy.model)
    for row in grpo.rows(1):
        index = int(row["prompt_id"].removeprefix("train/").partition("-")[0])
        expected = tokenizer(
            "<|im_start|>system\nAdd.<|im_end|>\n"
            f"<|im_start|>user\ntrain {index}: 1 + {index}<|im_end|>\n"
            "<|im_start|>assistant\n<think></think>"
        )["input_ids"]
        assert row["prompt_ids"] == expected


def test_a_completion_ends_at_either_end_token(grpo: Run) -> None:
    rows = [row for step in (1, 2, 3) for row in grpo.rows(step)]
    stopped = [row for row in rows if row["finish_reason"] == "stop"]
    assert {row["completion_ids"][-1] for row in stopped} == set(END_TOKEN_IDS)
    assert all(dict(row["reward_parts"])["finished"] == 1.0 for row in stopped)
    for row in rows:
        assert not set(row["completion_ids"][:-1]) & set(END_TOKEN_IDS)


def test_the_checkpoint_is_a_whole_hugging_face_folder(grpo: Run) -> None:
    source, folder = Path(grpo.spec.policy.model), grpo.checkpoint(3)
    model = load(folder)
    assert model.generation_config is not None
    assert model.generation_config.eos_token_id == list(END_TOKEN_IDS)
    assert not model.config.tie_word_embeddings
    ours, theirs = (AutoTokenizer.from_pretrained(one) for one in (folder, source))
    assert ours.get_chat_template() == theirs.get_chat_template()
    assert ours.get_vocab() == theirs.get_vocab()
    before, after = load(source).state_dict(), model.state_dict()
    assert before.keys() == after.keys()
    assert all(not torch.equal(before[name], after[name]) for name in before)


@pytest.fixture(scope="module")
def taught_by_vllm(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two steps of the bundled pair; generator and teacher are two engines in one process."""
    return run(
        tmp_path_factory.mktemp("rlad"),
        "rlad",
        policy={"model": "zoo:chain-sum/student"},
        teacher={"model": "zoo:chain-sum/teacher", "scorer": {"type": "vllm"}},
        task={"type": "chain_sum"},
        algorithm={
            "type": "rlad",
            "reference_kl": {"type": "k2", "beta": 0.1},
            "teacher_divergence": {"type": "reverse", "k": CANDIDATES, "weight": 0.1},
        },
        rollout={"max_new_tokens": 40},
        optimizer={"learning_rate": 1e-3},
        steps=2,
    )


def test_teacher_logprobs_are_the_teachers(taught_by_vllm: Run) -> None:
    teacher = zoo_path("zoo:chain-sum/teacher")
    for step in (1, 2):
        assert taught_by_vllm.differences("teacher_logprobs", step, teacher) <= TOLERANCE


def test_old_logprobs_beside_a_teacher_are_the_policys_own(taught_by_vllm: Run) -> None:
    for step in (1, 2):
        assert (
            taught_by_vllm.differences("old_logprobs", step, taught_by_vllm.checkpoint(step - 1))
            <= TOLERANCE
        )


def test_the_divergence_from_the_teacher_is_that_of_the_recorded_tokens(
    taught_by_vllm: Run,
) -> None:
    assert_metrics_are_listed(taught_by_vllm.steps)
    for step in taught_by_vllm.steps:
        means = [
            np.mean(np.array(row["old_logprobs"]) - np.array(row["teacher_logprobs"]))
            for row in taught_by_vllm.rows(step.step)
        ]
        assert step.metrics["policy/kl_teacher"] == pytest.approx(np.mean(means), abs=1e-5)


def test_the_agreement_of_the_teacher_is_that_of_the_recorded_tokens(taught_by_vllm: Run) -> None:
    for step in taught_by_vllm.steps:
        rows = taught_by_vllm.rows(step.step)
        likelier = [
            np.mean(np.array(row["teacher_logprobs"]) - np.array(row["sampler_logprobs"]))
            for row in rows
        ]
        pairs = [
            np.sign(likelier[one] - likelier[other])
            for one, right in enumerate(rows)
            for other, wrong in enumerate(rows)
            if right["group_id"] == wrong["group_id"] and right["correct"] and not wrong["correct"]
        ]
        assert step.metrics["teacher/agreement"] == pytest.approx((np.mean(pairs) + 1) / 2)


def test_the_distance_from_the_reference_is_that_from_the_student_as_loaded(
    taught_by_vllm: Run,
) -> None:
    for step in taught_by_vllm.steps:
        means = [
            np.mean(np.array(row["old_logprobs"]) - logprobs(start, row, 1.0).numpy())
            for start in [taught_by_vllm.checkpoint(0)]
            for row in taught_by_vllm.rows(step.step)
        ]
        found = step.metrics["policy/kl_reference"]
        assert found == pytest.approx(np.mean(means), abs=1e-5)
        assert (found == 0.0) is (step.step == 1)


def test_the_divergence_is_that_of_the_models_on_the_recorded_tokens(taught_by_vllm: Run) -> None:
    """By probabilities of plain forwards in float64."""
    for step in taught_by_vllm.steps:
        teacher = load(zoo_path("zoo:chain-sum/teacher"))
        policy = load(taught_by_vllm.checkpoint(step.step - 1))
        divergences, masses = [], []
        for row in taught_by_vllm.rows(step.step):
            taught, learned = (_chances(model, row) for model in (teacher, policy))
            inside, ids = taught.topk(CANDIDATES)
            p = torch.cat([inside, 1 - inside.sum(-1, keepdim=True)], -1)
            q = learned.gather(1, ids)
            q = torch.cat([q, 1 - q.sum(-1, keepdim=True)], -1)
            divergences.append(float((q * (q / p).log()).sum(-1).mean()))
            masses.append(float(inside.sum(-1).mean()))
        found = step.metrics["teacher/divergence"]
        # The engine's log-probs are float32, so what they leave over is known to about 1e-6.
        assert found == pytest.approx(np.mean(divergences), abs=1e-3)
        assert found > 0.01
        assert step.metrics["teacher/top_k_mass"] == pytest.approx(np.mean(masses), abs=1e-5)


def _chances(model: PreTrainedModel, row: Row) -> torch.Tensor:
    ids = row["prompt_ids"] + row["completion_ids"]
    with torch.no_grad():
        logits: torch.Tensor = model(torch.tensor([ids])).logits[0].double()
    return logits.softmax(-1)[len(row["prompt_ids"]) - 1 : -1]


def test_the_report_compares_with_the_teacher(taught_by_vllm: Run) -> None:
    assert taught_by_vllm.report.pass_at_1.teacher is not None
    assert taught_by_vllm.report.pass_at_1.teacher.n == 4


@pytest.fixture(scope="module")
def gym(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two warm steps on plain prompts; policy and teacher have no chat template."""
    root = tmp_path_factory.mktemp("gym")
    for seed, name in enumerate(("policy", "teacher")):
        make_tiny_model(root / name, "qwen3-tied", seed=seed, chat_template=None)
    return run(
        root,
        "gym",
        policy={"model": str(root / "policy")},
        teacher={"model": str(root / "teacher")},
        task={"type": "reasoning_gym", "dataset": "chain_sum", "config": {"max_terms": 3}},
        prompt={"type": "plain"},
        rewards=[{"type": "verifier", "extractor": "last_line"}, {"type": "finished"}],
        algorithm={"type": "rlad", "alpha": 0.3},
        rollout={"max_new_tokens": 40, "temperature": WARM},
        optimizer={"learning_rate": 1e-3},
        steps=2,
    )


def test_prompts_are_the_questions_as_they_are(gym: Run) -> None:
    task = build_task(gym.spec.task)
    tokenizer = AutoTokenizer.from_pretrained(gym.spec.policy.model)
    for row in gym.rows(1):
        index = int(row["prompt_id"].removeprefix("train/").partition("-")[0])
        (question,) = task.problem("train", index).messages
        assert tokenizer.decode(row["prompt_ids"]) == question.content


def test_all_three_policies_are_at_the_rollouts_temperature(gym: Run) -> None:
    assert gym.spec.teacher is not None
    teacher = Path(gym.spec.teacher.model)
    for step in (1, 2):
        for column, model in (
            ("sampler_logprobs", gym.checkpoint(step - 1)),
            ("old_logprobs", gym.checkpoint(step - 1)),
            ("teacher_logprobs", teacher),
        ):
            assert gym.differences(column, step, model, WARM) <= TOLERANCE


def test_a_tied_policy_stays_tied_and_learns(gym: Run) -> None:
    source, folder = Path(gym.spec.policy.model), gym.checkpoint(2)
    assert load(folder).config.tie_word_embeddings
    before, after = (load_file(one / "model.safetensors") for one in (source, folder))
    assert before.keys() == after.keys()
    assert "lm_head.weight" not in after
    assert all(not torch.equal(before[name], after[name]) for name in before)


def test_what_the_source_does_not_have_is_not_made_up(gym: Run) -> None:
    folder = gym.checkpoint(2)
    assert AutoTokenizer.from_pretrained(folder).chat_template is None
    generation = json.loads((folder / "generation_config.json").read_text())
    assert generation["eos_token_id"] == list(END_TOKEN_IDS)


# A learner or teacher in bfloat16 is refused where the CPU has no instructions for it.
FAST = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
BFLOAT16 = dict.fromkeys(("generator", "scorer", "learner") if FAST else ("generator",), "bfloat16")


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Five pipelined steps of the bundled pair in bfloat16, layers computed again backward."""
    return run(
        tmp_path_factory.mktemp("bfloat16"),
        "halved",
        policy={"model": "zoo:chain-sum/student"},
        teacher={"model": "zoo:chain-sum/teacher"},
        task={"type": "chain_sum"},
        algorithm={"type": "rlad"},
        rollout={"max_new_tokens": 40, "max_staleness": 1},
        optimizer={"activation_checkpointing": True},
        precision=BFLOAT16,
        steps=5,
    )


def test_bfloat16_says_what_it_costs(halved: Run) -> None:
    for step in halved.steps:
        # Half a step of 8 bits in a log-prob of a few nats: far above what float32 leaves.
        assert 1e-4 < step.metrics["sampler/mismatch_mean"] < 0.1
        assert 1e-3 < step.metrics["weights/probe_difference"] < 0.5
        assert 0.9 < step.metrics["sampler/weight_mean"] < 1.1
    kept = load_file(halved.checkpoint(5) / "model.safetensors")
    assert {tensor.dtype for tensor in kept.values()} == {torch.float32}


def test_a_pipelined_run_learns_from_rollouts_of_the_version_before(halved: Run) -> None:
    assert {step.staleness for step in halved.steps[1:]} <= {0, 1}
    versions = {
        span["version"] - (number - 1)
        for number in range(1, 6)
        for row in halved.rows(number)
        for span in row["weight_versions"]
    }
    assert versions <= {-1, 0}
