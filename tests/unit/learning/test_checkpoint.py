import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from rkd_online.errors import CheckpointError
from rkd_online.learning.manifest import read_manifest, read_progress
from rkd_online.types import PhasePlace, Progress
from tests.tiny_models import CHAT_TEMPLATE, END_TOKEN_IDS, make_tiny_model
from tests.unit.learning.training import learner, training_batch, weights

OPTIMIZER: dict[str, Any] = {
    "schedule": {"type": "cosine", "warmup_steps": 2},
    "minibatches": 2,
    "epsilon": 1e-8,
    "weight_decay": 0.01,
}


@pytest.fixture(scope="module")
def written(policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint after one step."""
    trained = learner(policy)
    trained.update(training_batch(1))
    folder = tmp_path_factory.mktemp("attempt") / "step-000001"
    trained.save(folder, Progress(1, 2, ()))
    return folder


def test_three_and_three_steps_are_six_to_the_bit(policy: Path, tmp_path: Path) -> None:
    whole = learner(policy, **OPTIMIZER)
    expected = [whole.update(training_batch(step)) for step in range(1, 7)]

    first = learner(policy, **OPTIMIZER)
    results = [first.update(training_batch(step)) for step in (1, 2, 3)]
    first.save(tmp_path / "step-000003", Progress(3, 6, ()))
    second = learner(policy, **OPTIMIZER)
    assert second.restore(tmp_path / "step-000003") == 3
    results += [second.update(training_batch(step)) for step in (4, 5, 6)]

    assert results == expected
    ours = weights(second)
    assert all(torch.equal(tensor, ours[name]) for name, tensor in whole.state_tensors())


def test_a_checkpoint_is_a_hugging_face_folder(policy: Path, written: Path) -> None:
    trained = learner(policy)
    trained.update(training_batch(1))
    loaded = AutoModelForCausalLM.from_pretrained(written).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in trained.state_tensors())
    tokenizer = AutoTokenizer.from_pretrained(written)
    assert tokenizer.chat_template == CHAT_TEMPLATE
    assert tokenizer.get_vocab() == AutoTokenizer.from_pretrained(policy).get_vocab()
    assert GenerationConfig.from_pretrained(written).eos_token_id == list(END_TOKEN_IDS)


def test_generation_settings_go_along_as_they_are_though_transformers_frowns_on_them(
    tmp_path: Path,
) -> None:
    model = make_tiny_model(tmp_path / "model")
    odd = json.dumps({"eos_token_id": [258, 259], "do_sample": False, "temperature": 0.6})
    (model / "generation_config.json").write_text(odd)
    learner(model).save(tmp_path / "step-000000", Progress(0, 0, ()))
    assert (tmp_path / "step-000000" / "generation_config.json").read_text() == odd


def test_torchs_random_state_continues(policy: Path, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        learner(policy).save(tmp_path / "step-000000", Progress(0, 0, ()))
        expected = torch.rand(3).tolist()
        learner(policy).restore(tmp_path / "step-000000")
        assert torch.rand(3).tolist() == expected


def test_the_manifest_lists_every_other_file_and_the_progress(written: Path) -> None:
    manifest = read_manifest(written)
    names = {str(path.relative_to(written)) for path in written.rglob("*") if path.is_file()}
    assert set(manifest["files"]) == names - {"manifest.json"}
    assert (manifest["format"], manifest["step"]) == (3, 1)
    assert (manifest["next_group"], manifest["open_groups"]) == (2, [])
    assert manifest["files"]["config.json"]["bytes"] == (written / "config.json").stat().st_size
    assert [path.name for path in written.parent.iterdir()] == ["step-000001"]


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "tokenizer.json", "state/optimizer.pt"]
)
def test_one_flipped_bit_is_found_and_its_file_named(written: Path, name: str) -> None:
    content = (written / name).read_bytes()
    middle = len(content) // 2
    flipped = bytes([content[middle] ^ 1])
    (written / name).write_bytes(content[:middle] + flipped + content[middle + 1 :])
    try:
        with pytest.raises(CheckpointError, match=f"{written} is damaged: {name} is missing or is"):
            read_manifest(written)
    finally:
        (written / name).write_bytes(content)
    read_manifest(written)


def test_a_damaged_checkpoint_changes_no_learner(policy: Path, tmp_path: Path) -> None:
    trained = learner(policy)
    trained.update(training_batch(1))
    trained.save(tmp_path / "step-000001", Progress(1, 2, ()))
    (tmp_path / "step-000001" / "state" / "optimizer.pt").unlink()
    fresh = learner(policy)
    before = weights(fresh)
    with pytest.raises(CheckpointError, match=r"damaged: state/optimizer.pt is missing"):
        fresh.restore(tmp_path / "step-000001")
    assert fresh.version == 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in fresh.state_tensors())


def test_a_folder_without_a_manifest_is_no_checkpoint(policy: Path) -> None:
    with pytest.raises(
        CheckpointError, match=f"{policy} is no checkpoint: it has no manifest.json"
    ):
        learner(policy).restore(policy)


def test_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 1, "files": {}}))
    with pytest.raises(CheckpointError, match="has format 1, this release reads 3: resume with"):
        read_manifest(tmp_path)


def test_half_a_manifest_is_damage(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 1, "files": {}})[:-3])
    with pytest.raises(CheckpointError, match=r"damaged: manifest.json is missing or is not what"):
        read_manifest(tmp_path)


def test_what_a_cut_attempt_left_is_written_over(policy: Path, tmp_path: Path) -> None:
    left = tmp_path / ".step-000000.partial"
    left.mkdir()
    (left / "half.safetensors").write_bytes(b"half")
    learner(policy).save(tmp_path / "step-000000", Progress(0, 0, ()))
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000"]
    assert "half.safetensors" not in read_manifest(tmp_path / "step-000000")["files"]


def test_the_place_in_the_phases_comes_back(policy: Path, tmp_path: Path) -> None:
    progress = Progress(2, 9, (6, 8), PhasePlace(1, 2, (0.25, 0.5)))
    learner(policy).save(tmp_path / "step-000002", progress)
    assert read_progress(tmp_path / "step-000002") == progress
