"""A folder that is exported is whole or not there, and never takes the place of something else."""

from pathlib import Path

import pytest

from rkd_online.errors import RecordError
from rkd_online.export.folder import export_folder


def write(out: Path, text: str, *, force: bool = False) -> None:
    with export_folder(out, force=force) as folder:
        (folder / "store.json").write_text(text)


def test_it_appears_when_it_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with export_folder(out, force=False) as folder:
        (folder / "store.json").write_text("1")
        assert not out.exists()
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert (out / "store.json").read_text() == "1"


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), export_folder(tmp_path / "out", force=False):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", "1")
    assert (tmp_path / "out" / "store.json").read_text() == "1"


def test_an_earlier_export_is_replaced_when_it_is_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, "1")
    (out / "more").write_text("of the first")
    with pytest.raises(RecordError, match=r"holds an earlier export: choose .* with --force"):
        write(out, "2")
    assert (out / "store.json").read_text() == "1"
    write(out, "2", force=True)
    assert [path.name for path in out.iterdir()] == ["store.json"]
    assert (out / "store.json").read_text() == "2"


@pytest.mark.parametrize("force", [False, True])
def test_what_no_export_wrote_is_never_replaced(tmp_path: Path, force: bool) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(RecordError, match="holds what no export wrote"):
        write(tmp_path, "1", force=force)
    with pytest.raises(RecordError, match="holds what no export wrote"):
        write(tmp_path / "thesis.tex", "1", force=force)
    assert (tmp_path / "thesis.tex").read_text() == "precious"
