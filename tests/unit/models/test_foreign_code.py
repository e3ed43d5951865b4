"""Code that a model folder brings along is never run, whoever loads the folder."""

import ast
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Qwen3ForCausalLM

import rkd_online
from rkd_online.errors import ModelError
from rkd_online.models.folder import check_architecture
from rkd_online.models.load import load_causal_lm, text_config
from rkd_online.models.tokenizer import load_tokenizer
from rkd_online.run.prepare import prepare
from rkd_online.spec.load import parse_spec
from tests.tiny_models import make_tiny_model
from tests.unit.spec.job import job

SOURCES = sorted(Path(rkd_online.__file__).parent.rglob("*.py"))
OF_ONE_CLASS = {"zoo/build.py"}
"""Loads a folder that it wrote itself by a class of transformers."""
CLASSES = {
    "AutoConfig": "planted.Config",
    "AutoModelForCausalLM": "planted.Model",
    "AutoTokenizer": ["planted.Tokenizer", "planted.Tokenizer"],
}


def plant(folder: Path, file: str = "config.json", **values: Any) -> Path:
    """Name classes of a module that leaves a proof when it is imported; returns the proof."""
    proof = folder / "proof"
    (folder / "planted.py").write_text(f"open({str(proof)!r}, 'w').close()\n")
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(content | {"auto_map": CLASSES} | values))
    return proof


def test_a_known_architecture_is_computed_by_transformers_own_code(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path)
    proof = plant(folder)
    check_architecture(folder)
    assert type(load_causal_lm(folder)) is Qwen3ForCausalLM
    assert not proof.exists()


@pytest.mark.parametrize(
    ("load", "doing"),
    [
        (check_architecture, "read the configuration"),
        (text_config, "read the configuration"),
        (load_causal_lm, "read the configuration"),
    ],
)
def test_an_architecture_of_the_folders_own_is_refused(
    tmp_path: Path, load: Callable[[Path], object], doing: str
) -> None:
    folder = make_tiny_model(tmp_path)
    proof = plant(folder, model_type="planted", architectures=["Planted"])
    with pytest.raises(ModelError) as raised:
        load(folder)
    assert str(raised.value) == (
        f"cannot {doing} in {folder}: it needs code that the folder brings along (auto_map in "
        "config.json), which is never run: choose a model that transformers has itself"
    )
    assert not proof.exists()


def test_it_is_refused_at_the_start_of_a_run_before_any_worker_has_it(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "model")
    plant(folder, model_type="planted", architectures=["Planted"])
    changes = {"policy__model": str(folder), "teacher": None, "algorithm": {"type": "grpo"}}
    spec = parse_spec(job(**changes))
    with pytest.raises(ModelError, match=r"it needs code that the folder brings along \(auto_map"):
        prepare(tmp_path / "run", 1, spec, "file")


def test_a_tokenizer_of_the_folders_own_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path)
    plant(folder, model_type="planted", architectures=["Planted"])
    proof = plant(folder, "tokenizer_config.json", tokenizer_class="Planted")
    with pytest.raises(ModelError, match=r"cannot load the tokenizer in .* needs code that the"):
        load_tokenizer(folder)
    assert not proof.exists()


def test_a_pickle_is_not_loaded_though_it_is_all_there_is(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=f"cannot load the model in {folder}"):
        load_causal_lm(folder)


def test_no_call_can_turn_foreign_code_or_pickles_on() -> None:
    """Every call that loads names the switches, and gives them as constants."""
    switches = {"trust_remote_code": False, "weights_only": True, "use_safetensors": True}
    found = 0
    for path, call in calls():
        for keyword in call.keywords:
            if keyword.arg in switches:
                assert isinstance(keyword.value, ast.Constant), path
                assert keyword.value.value is switches[keyword.arg], path
                found += 1
        where = path.relative_to(SOURCES[0].parent).as_posix()
        wanted = needed(ast.unparse(call.func))
        if wanted and where not in OF_ONE_CLASS:
            assert wanted <= {keyword.arg for keyword in call.keywords}, path
    assert found >= 7


def needed(function: str) -> set[str]:
    """The switches that a function must be given."""
    if function.endswith(".from_pretrained"):
        return {"trust_remote_code", "local_files_only"}
    if function.endswith("EngineArgs"):
        return {"trust_remote_code", "load_format"}
    return {"weights_only"} if function == "torch.load" else set()


def calls() -> Iterator[tuple[Path, ast.Call]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path, node
