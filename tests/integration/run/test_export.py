"""What a real job leaves behind, in the hands of tools that know nothing of it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

from rkd_online.tasks.chain_sum import ChainSum
from tests.integration.run.finished_run import TOLERANCE, Run, logprobs, run

STEPS, LONGEST = 2, 24
RKD = [sys.executable, "-m", "rkd_online.cli"]
VLLM = """
import json, sys
from vllm import LLM, SamplingParams

llm = LLM(model=sys.argv[1], dtype="float32", max_model_len=96, max_num_seqs=4,
          enforce_eager=True)
chats = [[{"role": "user", "content": text}] for text in json.loads(sys.argv[2])]
greedy = SamplingParams(temperature=0.0, max_tokens=int(sys.argv[3]))
answers = llm.chat(chats, greedy, use_tqdm=False)
print("\\n" + json.dumps([[list(one.prompt_token_ids), list(one.outputs[0].token_ids)]
                         for one in answers]))
"""
"""Plain vLLM, in a process that imports nothing of ours."""
QUESTIONS = [ChainSum().problem("train", index).messages[0].content for index in range(4)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(
        tmp_path_factory.mktemp("data") / "runs",
        "exported",
        policy={"model": "zoo:chain-sum/student"},
        teacher={"model": "zoo:chain-sum/teacher"},
        task={"type": "chain_sum"},
        algorithm={"type": "rlad"},
        rollout={"max_new_tokens": LONGEST},
        optimizer={"learning_rate": 1e-3},
        steps=STEPS,
    )


def export(finished: Run, what: str, out: Path, *more: str) -> str:
    data = finished.folder.path.parent.parent
    command = [*RKD, "export", what, "exported", "--out", str(out), "--data-dir", str(data), *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkpoint(finished: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exports") / "checkpoint"
    said = export(finished, "checkpoint", out)
    assert said == f"written: {out}, the weights of exported after step {STEPS}\n"
    return out


def greedy(folder: Path) -> list[list[list[int]]]:
    """Prompts as the folder's own chat template has them, and greedy answers by plain forwards."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    found = []
    for text in QUESTIONS:
        asked: Any = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, return_dict=False
        )
        ids = torch.tensor([asked])
        whole = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=LONGEST
        )
        found.append([asked, whole[0, len(asked) :].tolist()])
    return found


def test_transformers_answers_as_the_jobs_own_checkpoint(finished: Run, checkpoint: Path) -> None:
    folders = (finished.checkpoint(0), finished.checkpoint(2), checkpoint)
    before, own, exported = map(greedy, folders)
    assert exported == own
    assert all(answer for _, answer in exported)
    # Two steps at this rate changed what the student says.
    assert before != own


def test_vllm_answers_as_the_jobs_own_checkpoint(finished: Run, checkpoint: Path) -> None:
    command = [sys.executable, "-c", VLLM, str(checkpoint), json.dumps(QUESTIONS), str(LONGEST)]
    settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "PYTHONPATH": ""}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, check=False, env=os.environ | settings
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == greedy(finished.checkpoint(2))


def test_the_template_asks_as_the_job_did(finished: Run, checkpoint: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    for row in finished.rows(1):
        text = ChainSum().problem("train", row["prompt_index"]).messages[0].content
        asked = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, return_dict=False
        )
        assert asked == row["prompt_ids"]


def test_the_rollouts_are_a_data_set(finished: Run, tmp_path: Path) -> None:
    said = export(finished, "rollouts", tmp_path / "out")
    assert said == f"written: {tmp_path / 'out'}, 32 rollouts of 8 prompts\n"
    cache = str(tmp_path / "cache")
    rows = list(load_dataset(str(tmp_path / "out"), split="train", cache_dir=cache))
    assert [row["step"] for row in rows] == [1] * 16 + [2] * 16
    recorded = [*finished.rows(1), *finished.rows(2)]
    same = ("group_id", "index", "completion_ids", "old_logprobs", "advantage", "reward")
    assert [[row[name] for name in same] for row in rows] == [
        [row[name] for name in same] for row in recorded
    ]
    tokenizer = AutoTokenizer.from_pretrained(finished.checkpoint(0))
    for row in rows:
        assert row["prompt"] == tokenizer.decode(row["prompt_ids"])
        assert row["completion"] == tokenizer.decode(row["completion_ids"])
        assert row["correct"] == (row["correctness"] == 1.0)
    plain = logprobs(finished.checkpoint(0), rows[0], 1.0)
    assert (torch.tensor(rows[0]["old_logprobs"]) - plain).abs().max() < TOLERANCE


def test_an_export_is_replaced_when_it_is_asked_for(finished: Run, checkpoint: Path) -> None:
    data = finished.folder.path.parent.parent
    command = [*RKD, "export", "checkpoint", "exported", "--out", str(checkpoint), "--step", "1"]
    command += ["--data-dir", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "holds an earlier export: choose another folder, or replace it with" in done.stderr
    said = export(finished, "checkpoint", checkpoint, "--step", "1", "--force")
    assert said == f"written: {checkpoint}, the weights of exported after step 1\n"
    assert greedy(checkpoint) == greedy(finished.checkpoint(1))
