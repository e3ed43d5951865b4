"""A model folder is read once, and again when one of its files has changed."""

import json
import shutil
from os import DirEntry, scandir
from pathlib import Path

import pytest

from rkd_online.errors import ModelError, SpecError
from rkd_online.spec import model_files, model_folder
from rkd_online.spec.check import check_models
from rkd_online.spec.load import parse_spec
from rkd_online.spec.model_folder import read_model_folder
from rkd_online.zoo import zoo_path
from tests.unit.spec.job import job


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(zoo_path("zoo:chain-sum/student"), tmp_path / "student"))


def rewrite(file: Path, **fields: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def test_a_folder_that_did_not_change_is_not_read_again(folder: Path) -> None:
    assert read_model_folder(folder) is read_model_folder(folder)


def test_what_was_written_since_is_read(folder: Path) -> None:
    before = read_model_folder(folder)
    rewrite(folder / "config.json", max_position_embeddings=77)
    after = read_model_folder(folder)
    assert (before.model.context_length, after.model.context_length) != (77, 77)
    assert after.model.context_length == 77
    assert after.tokenizer == before.tokenizer


def test_a_file_that_another_took_the_place_of_is_read(folder: Path) -> None:
    """Same name, same size: only the file itself and its time differ."""
    file = folder / "chat_template.jinja"
    text = read_model_folder(folder).tokenizer
    assert text is not None and text.chat_template is not None
    other = folder / "other.tmp"
    other.write_text("x" * len(file.read_text()))
    other.replace(file)
    changed = read_model_folder(folder).tokenizer
    assert changed is not None and set(changed.chat_template or "") == {"x"}


def test_a_file_behind_a_link_counts(folder: Path, tmp_path: Path) -> None:
    """A hub's cache keeps the files elsewhere."""
    real = tmp_path / "blob"
    (folder / "config.json").rename(real)
    (folder / "config.json").symlink_to(real)
    assert read_model_folder(folder).model.context_length != 77
    rewrite(real, max_position_embeddings=77)
    assert read_model_folder(folder).model.context_length == 77


def test_a_broken_folder_is_read_until_it_is_mended(folder: Path) -> None:
    hidden = (folder / "model.safetensors").rename(folder / "elsewhere")
    for _ in range(2):
        with pytest.raises(ModelError, match="has no weights"):
            read_model_folder(folder)
    hidden.rename(folder / "model.safetensors")
    assert read_model_folder(folder).model.parameters > 0


def test_no_folder_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no folder"):
        read_model_folder(tmp_path / "none")


class Listed:
    """What ``scandir`` found, of which one file is gone when it is looked at."""

    def __init__(self, folder: Path, gone: str) -> None:
        self._entries = list(scandir(folder))
        (folder / gone).unlink()

    def __enter__(self) -> list[DirEntry[str]]:
        return self._entries

    def __exit__(self, *_: object) -> None:
        pass


def test_a_file_that_goes_while_the_folder_is_listed_is_said_with_field_and_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_folder, "scandir", lambda listed: Listed(listed, "model.safetensors"))
    spec = parse_spec(job())
    with pytest.raises(SpecError) as refused:
        check_models(spec, {"policy": folder})
    assert str(refused.value) == (
        f"policy.model: {folder} changes while it is read, and model.safetensors is gone: ask "
        "again when its files stay"
    )


def test_a_file_that_goes_before_it_is_read_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = model_files.weight_files

    def listed(place: Path) -> list[Path]:
        found = files(place)
        found[0].unlink()
        return found

    monkeypatch.setattr(model_files, "weight_files", listed)
    with pytest.raises(ModelError, match=r"is read, and model\.safetensors is gone: ask again"):
        read_model_folder(folder)
