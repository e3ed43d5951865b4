import hashlib
from pathlib import Path

import pytest

from rkd_online.files import by_step, file_digest, step_name, step_of, whole


@pytest.mark.parametrize(("step", "name"), [(0, "step-000000"), (1234567, "step-1234567")])
def test_a_name_says_its_step(step: int, name: str) -> None:
    assert step_name(step) == name
    assert step_of(name) == step
    assert step_of(f"{name}.parquet", ".parquet") == step


@pytest.mark.parametrize(
    "name",
    ["step-40", "step-0000040", "step--00040", "step-00004x", "step-00004\u0660", "000040", ""],
)
def test_every_other_name_is_of_no_step(name: str) -> None:
    assert step_of(name) is None


def test_a_folder_is_read_in_the_order_of_steps_not_of_names(tmp_path: Path) -> None:
    assert by_step(tmp_path / "absent") == {}
    for name in ("step-1000000", "step-999999", "step-000040.parquet", ".step-000050.partial"):
        (tmp_path / name).mkdir()
    assert list(by_step(tmp_path).items()) == [
        (999999, tmp_path / "step-999999"),
        (1000000, tmp_path / "step-1000000"),
    ]
    assert by_step(tmp_path, ".parquet") == {40: tmp_path / "step-000040.parquet"}


def test_the_digest_of_a_file_is_the_sha256_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"abc")
    assert file_digest(path) == hashlib.sha256(b"abc").hexdigest()


def test_a_file_takes_its_place_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "folder" / "file"
    with whole(place) as partial:
        partial.write_text("first")
        assert not place.exists()
    with pytest.raises(OSError, match="full"), whole(place) as partial:
        partial.write_text("seco")
        raise OSError("the disk is full")
    assert place.read_text() == "first"
    assert list(place.parent.iterdir()) == [place]
