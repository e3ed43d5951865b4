"""Model folders that would run code where they are loaded."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rkd_online.errors import SpecError
from rkd_online.service.safety.check import check_names
from rkd_online.spec.check import check_spec
from rkd_online.spec.load import parse_spec
from rkd_online.spec.model_files import weight_files
from rkd_online.zoo import zoo_path
from tests.unit.service.safety.places import OWN, Places
from tests.unit.spec.job import job

POLICY = zoo_path("zoo:chain-sum/student")


@pytest.fixture
def model(places: Places) -> Path:
    """A whole model in an allowed folder."""
    return copied(places.root / "model")


def copied(folder: Path) -> Path:
    for file in POLICY.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


class Planted:
    """Whoever loads it writes a file."""

    def __init__(self, proof: Path) -> None:
        self._proof = proof

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (Path.touch, (self._proof,))


def edit(file: Path, **values: Any) -> None:
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | values))


def test_a_whole_model_of_safetensors_is_allowed(places: Places, model: Path) -> None:
    spec = parse_spec(job(policy__model=str(model)))
    check_names(spec, places.limits, lambda _: False)
    check_spec(spec)


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "a.pt", "a.pth", "a.ckpt", "a.pkl", "a.pickle"]
)
def test_planted_pickles_are_refused_and_never_loaded(model: Path, name: str) -> None:
    (model / "model.safetensors").unlink()
    proof = model / "proof"
    (model / name).write_bytes(pickle.dumps(Planted(proof)))
    with pytest.raises(SpecError, match=rf"policy.model: {model} has only pickle weights \({name}"):
        check_spec(parse_spec(job(policy__model=str(model))))
    assert not proof.exists()
    pickle.loads((model / name).read_bytes())
    assert proof.exists()  # so it would have shown


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../other/model.safetensors", "sub/a.safetensors", "pytorch_model.bin", ".."],
)
def test_an_index_names_safetensors_beside_it_alone(model: Path, name: str) -> None:
    """Libraries join the name to the folder: a path would be read wherever it leads."""
    index = {"weight_map": {"a": "model.safetensors", "b": name}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(SpecError) as raised:
        check_spec(parse_spec(job(policy__model=str(model))))
    (line,) = str(raised.value).splitlines()
    assert line == (
        f"policy.model: {model}/model.safetensors.index.json names {name!r}: weights are "
        ".safetensors files beside it, named without a folder"
    )


def test_shards_beside_their_index_are_weights(model: Path) -> None:
    (model / "model.safetensors").rename(model / "a.safetensors")
    (model / "model.safetensors.index.json").write_text('{"weight_map": {"w": "a.safetensors"}}')
    assert weight_files(model) == [model / "a.safetensors"]


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_model_with_code_of_its_own_is_refused(places: Places, model: Path, file: str) -> None:
    edit(model / file, auto_map={"AutoModelForCausalLM": "modeling.Planted"})
    assert places.lines(policy__model=str(model)) == [
        f"policy.model: {str(model)!r} asks for code of its own (auto_map in {file}), which is "
        "never run: take auto_map out where transformers has the architecture itself, or choose "
        "another model"
    ]


def test_a_checkpoint_keeps_the_name_of_code_that_was_not_copied(places: Places) -> None:
    """A model of the hub may name code beside an architecture of transformers; none is fetched."""
    checkpoint = copied(places.checkpoint(OWN))
    edit(checkpoint / "config.json", auto_map={"AutoConfig": "configuration.C"})
    assert places.lines(policy__model=str(checkpoint)) == []


def test_a_broken_configuration_is_left_to_the_jobs_own_check(places: Places, model: Path) -> None:
    (model / "config.json").write_text("{")
    assert places.lines(policy__model=str(model)) == []
    with pytest.raises(SpecError, match=r"policy.model: .*/config.json is not JSON"):
        check_spec(parse_spec(job(policy__model=str(model))))


def test_a_model_that_stands_for_another_is_refused(model: Path) -> None:
    """vLLM would load the model that speculators_config names, from any path or from the hub."""
    verifier = {"verifier": {"name_or_path": "/etc"}}
    edit(model / "config.json", speculators_config=verifier)
    with pytest.raises(SpecError, match="has speculators_config, for which vLLM would load the"):
        check_spec(parse_spec(job(policy__model=str(model))))
