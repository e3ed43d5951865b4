"""A checkpoint that is exported: what is in the folder, and what its card says."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from rkd_online.errors import CheckpointError
from rkd_online.export.checkpoint import export_checkpoint
from rkd_online.export.choice import choose_checkpoint
from tests.tiny_models import tiny_tokenizer
from tests.unit.evaluation.evaluations import evaluation
from tests.unit.export.jobs import END, keep, make_job, student


def card(folder: Path) -> Any:
    return ModelCard.load(folder / "README.md")


def test_the_folder_holds_the_weights_and_nothing_of_the_run(tmp_path: Path) -> None:
    job = make_job(tmp_path, checkpoints=(0, 20))
    export_checkpoint(job, choose_checkpoint(job, "last"), tmp_path / "out", force=False)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "README.md", "chat_template.jinja", "config.json", "generation_config.json",
        "model.safetensors", "provenance.json", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    weights = load_file(tmp_path / "out" / "model.safetensors")
    own = student().state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in weights.items())
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert loaded.num_parameters() == student().num_parameters()
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template


def test_answers_end_where_they_ended_in_the_job(tmp_path: Path) -> None:
    """The teacher's end token is one that the student may have learned."""
    job = make_job(tmp_path, checkpoints=(20,))
    export_checkpoint(job, choose_checkpoint(job, "20"), tmp_path / "out", force=False)
    kept = json.loads((job.run.checkpoints()[20] / "generation_config.json").read_text())
    found = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert found == kept | {"eos_token_id": [END, 5]}


def test_provenance_is_for_programs(tmp_path: Path) -> None:
    job = make_job(tmp_path, checkpoints=(20,))
    export_checkpoint(job, choose_checkpoint(job, "20"), tmp_path / "out", force=False)
    found = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert (found["job"], found["step"], found["seed"]) == ("sums", 20, 7)
    assert found["versions"] == {"rkd-online": "0.0", "torch": "2.0"}
    assert found["tokenizer"] == "d1"
    assert len(found["spec_digest"]) == 64


def test_the_card_has_the_evaluation_of_exactly_these_weights(tmp_path: Path) -> None:
    job = make_job(tmp_path, checkpoints=(0, 20, 40))
    keep(job, evaluation("student-before", [1, 0, 2, 2, 0, 1, 2, 0]), version=0)
    keep(job, evaluation("student-after", [4, 3, 4, 1, 4, 3, 4, 1]), version=40)
    keep(job, evaluation("teacher", [4] * 8), version=0)
    keep(job, evaluation("validation-000020", [2, 2], split="validation"), version=20)
    for step in (20, 40):
        out = tmp_path / str(step)
        export_checkpoint(job, choose_checkpoint(job, str(step)), out, force=False)
    last, before = card(tmp_path / "40"), card(tmp_path / "20")
    # 24 of 32 answers, and 4 of 8.
    (found,) = [one for one in last.data.eval_results if one.metric_type == "pass@1"]
    assert (found.metric_value, found.dataset_split, found.dataset_type) == (
        0.75,
        "test",
        "chain_sum",
    )
    (found,) = [one for one in before.data.eval_results if one.metric_type == "pass@1"]
    assert (found.metric_value, found.dataset_split) == (0.5, "validation")
    assert found.metric_args == {"low": 0.5, "high": 0.5, "prompts": 2}
    rows = [line.split(" | ")[:2] for line in last.text.splitlines() if " [" in line]
    assert [(name, cell.partition(" ")[0]) for name, cell in rows] == [
        ("| this checkpoint", "0.750"),
        ("| student-before", "0.250"),
        ("| teacher", "1.000"),
    ]
    # The prompts of validation were not asked of the others.
    assert "teacher |" not in before.text.partition("## Data")[0]


def test_weights_that_nobody_evaluated_claim_nothing(tmp_path: Path) -> None:
    job = make_job(tmp_path, checkpoints=(20,))
    keep(job, evaluation("student-after", [4, 3]), version=60)
    export_checkpoint(job, choose_checkpoint(job, "20"), tmp_path / "out", force=False)
    found = card(tmp_path / "out")
    assert found.data.eval_results is None
    assert "These weights were not evaluated." in found.text


def test_the_card_says_how_it_was_made(tmp_path: Path) -> None:
    job = make_job(
        tmp_path,
        checkpoints=(20,),
        policy={"model": "hf:Qwen/Qwen3-1.7B@70d244cc"},
        prompt={"type": "chat", "system": "Add.", "thinking": False},
    )
    export_checkpoint(job, choose_checkpoint(job, "20"), tmp_path / "out", force=False)
    found = card(tmp_path / "out")
    assert found.data.library_name == "transformers"
    assert found.data.pipeline_tag == "text-generation"
    assert found.data.base_model == "Qwen/Qwen3-1.7B"
    assert found.data.tags == ["rkd-online", "distillation", "rlad"]
    for words in (
        "trained by `rlad` with `zoo:chain-sum/teacher` as its teacher: the weights after step 20 "
        "of 60",
        "  alpha: 0.25\n",
        "  system: Add.\n",
        "It set `enable_thinking=False`.",
        "| policy | [Qwen/Qwen3-1.7B](https://huggingface.co/Qwen/Qwen3-1.7B) at `70d244cc` |",
        "| job | `sums` |",
        "| seed | 7 |",
        "| versions | rkd-online 0.0, torch 2.0 |",
    ):
        assert words in found.text


def test_the_card_names_every_teacher_of_a_mixture(tmp_path: Path) -> None:
    """The job's for one part, another for the other."""
    parts = [
        {"name": "few", "task": {"type": "chain_sum", "max_terms": 3}},
        {
            "name": "many",
            "task": {"type": "chain_sum", "min_terms": 4},
            "teacher": {"model": "zoo:chain-sum/student"},
        },
    ]
    job = make_job(tmp_path, checkpoints=(20,), task={"type": "mixture", "parts": parts})
    export_checkpoint(job, choose_checkpoint(job, "20"), tmp_path / "out", force=False)
    text = card(tmp_path / "out").text
    assert "with `zoo:chain-sum/teacher`, `zoo:chain-sum/student` as its teachers: the" in text
    assert "| teacher | `zoo:chain-sum/teacher` |\n| teacher | `zoo:chain-sum/student` |" in text


def test_a_model_without_a_template_gets_the_one_of_its_plain_prompts(tmp_path: Path) -> None:
    job = make_job(tmp_path, checkpoints=(20,), prompt={"type": "plain"})
    checkpoint = job.run.checkpoints()[20]
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    for path in checkpoint.glob("*token*"):
        path.unlink()
    (checkpoint / "chat_template.jinja").unlink()
    tiny_tokenizer(chat_template=None).save_pretrained(checkpoint)
    from rkd_online.files import file_digest

    manifest["files"] = {
        path.name: {"bytes": path.stat().st_size, "sha256": file_digest(path)}
        for path in checkpoint.iterdir()
        if path.is_file() and path.name != "manifest.json"
    }
    (checkpoint / "manifest.json").write_text(json.dumps(manifest))
    export_checkpoint(job, choose_checkpoint(job, "20"), tmp_path / "out", force=False)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    asked = [{"role": "user", "content": "3+5="}]
    assert tokenizer.apply_chat_template(asked, return_dict=False) == tokenizer("3+5=")["input_ids"]
    assert "writes a message as the job did" in card(tmp_path / "out").text


def test_a_damaged_checkpoint_is_not_exported(tmp_path: Path) -> None:
    job = make_job(tmp_path, checkpoints=(20,))
    (job.run.checkpoints()[20] / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"is damaged: config\.json"):
        export_checkpoint(job, choose_checkpoint(job, "20"), tmp_path / "out", force=False)
    assert not (tmp_path / "out").exists()
