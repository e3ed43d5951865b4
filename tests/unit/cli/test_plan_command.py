"""``rkd plan`` as a user meets it."""

import json
from pathlib import Path

import pytest
import yaml

from rkd_online.spec.sizing.gpus import KNOWN
from tests.unit.cli.conftest import Rkd
from tests.unit.spec.sizing.sized import real

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
KK = str(EXAMPLES / "paper-kk-1.7b-2k.yaml")


def spec(tmp_path: Path, **changes: object) -> str:
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(real(**changes)))
    return str(file)


def test_a_plan_shows_models_memory_the_step_and_a_split(rkd: Rkd) -> None:
    outcome = rkd("plan", KK, "--gpus", "8", "--gpu-memory", "80GiB")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == ("paper-kk-17b-2k on 3 GPUs (h100), of each 72.0 GiB may be used")
    assert any("1.72 B" in line and "114,688 bytes" in line for line in lines)
    assert any(line.startswith("1 x learner (1 GPU each): hf:Qwen/Qwen3-1.7B") for line in lines)
    assert any("97.5 sequences of 3,072" in line for line in lines)
    assert any(line.split() == ["sampled", "tokens", "524,288", "262,144"] for line in lines)
    assert any(line.startswith("8 GPUs are best shared so") for line in lines)
    start = lines.index("  resources:")
    suggested = yaml.safe_load("\n".join(lines[start : lines.index("", start)]))
    assert suggested["resources"]["device"] == "cuda"


def test_json_has_the_same_for_programs(rkd: Rkd) -> None:
    outcome = rkd("plan", KK, "--gpus", "8", "--json", "--mean-new-tokens", "700")
    found = json.loads(outcome.out)
    assert found["models"][0]["parameters"] == 1_720_574_976
    assert found["loads"][1]["new_tokens"] == 700
    assert found["problems"] == []
    assert found["suggestion"]["gpus"] == 8


def test_what_does_not_fit_is_refused_after_it_is_shown(rkd: Rkd, tmp_path: Path) -> None:
    outcome = rkd("plan", spec(tmp_path), "--gpu-memory", "24GiB", "--gpus", "3")
    assert outcome.code == 1
    assert outcome.out.startswith("tiny on 3 GPUs (h100), of each 21.6 GiB may be used")
    assert outcome.err.startswith("error: resources.learner: moments 12.8 + ")
    assert "GiB may be used" not in outcome.err
    assert "may be used: raise resources.learner.ranks" in outcome.err


def test_json_of_what_does_not_fit_is_still_json(rkd: Rkd, tmp_path: Path) -> None:
    outcome = rkd("plan", spec(tmp_path), "--gpu-memory", "24GiB", "--json")
    assert outcome.code == 1
    assert len(json.loads(outcome.out)["problems"]) == 3


def test_the_bundled_pair_on_a_cpu(rkd: Rkd) -> None:
    outcome = rkd("plan", str(EXAMPLES / "quickstart.yaml"), "--memory", "8GiB")
    assert outcome.code == 0
    assert outcome.out.startswith("quickstart on a CPU with 8.0 GiB")
    assert "weights in transit" in outcome.out


def test_the_help_lists_the_known_gpus(rkd: Rkd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    (line,) = (line for line in rkd("plan", "--help").out.splitlines() if "Their type" in line)
    *others, last = KNOWN
    assert f"Their type: {', '.join(others)} or {last}." in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--gpus", "0"), "Invalid value for '--gpus'"),
        (("--gpu", "b9000"), "'b9000' is not known: choose from a100-40gb"),
        (("--gpu-memory", "80"), "'80' is no amount of memory: write 80GiB"),
        (("--gpu-memory", "0GiB"), "'0GiB' is no amount of memory"),
        (("--usable", "0"), "Invalid value for '--usable'"),
    ],
)
def test_bad_options_are_named(rkd: Rkd, arguments: tuple[str, ...], words: str) -> None:
    outcome = rkd("plan", KK, *arguments)
    assert outcome.code == 2
    shown = " ".join(word for word in outcome.err.split() if word != "│")
    assert words in shown


def test_an_unknown_architecture_names_the_field(rkd: Rkd, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"model_type": "mamba2"}')
    outcome = rkd("plan", KK, "--config", f"policy={config}")
    assert outcome.code == 1
    assert outcome.err.startswith("error: policy.model: ")
    assert "model_type 'mamba2' is not an architecture whose size is known here" in outcome.err
