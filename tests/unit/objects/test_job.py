"""The names of a job's objects, and where they lie on a node."""

from pathlib import Path

import pytest

from rkd_online.errors import ObjectStoreError
from rkd_online.objects.job import scratch_folder
from tests.unit.objects.stores import node


def test_an_object_is_called_like_the_file(tmp_path: Path) -> None:
    here = node(tmp_path, "a")
    assert here.name("attempts/1/setup.json") == "runs/job-1/attempts/1/setup.json"
    assert here.name("") == "runs/job-1"
    assert here.here("spec.json") == tmp_path / "a" / "job-1" / "spec.json"
    assert str(here) == f"file://{tmp_path}/bucket/prefix/runs/job-1"
    assert scratch_folder("job-1") == Path("scratch/runs/job-1")


@pytest.mark.parametrize("path", ["../job-2/spec.json", "attempts/../../x", "/etc/passwd", ".."])
def test_a_name_that_leads_elsewhere_is_no_file_here(tmp_path: Path, path: str) -> None:
    with pytest.raises(ObjectStoreError, match="which is no file below a folder"):
        node(tmp_path, "a").here(path)


def test_attempts_are_numbers_in_order(tmp_path: Path) -> None:
    here = node(tmp_path, "a")
    for name in ("10", "9", "1", "01", "x", "-1"):
        here.store.write(b"", here.name(f"attempts/{name}/setup.json"))
    assert here.attempts() == [1, 9, 10]


def test_a_file_that_is_pulled_is_whole_or_as_it_was(tmp_path: Path) -> None:
    here = node(tmp_path, "a")
    here.store.write(b"old", here.name("report.json"))
    assert here.pull("report.json").read_bytes() == b"old"
    get = here.store.get

    def cut(name: str, file: Path) -> None:
        get(name, file)
        raise ObjectStoreError("the line is dead")

    here.store.get = cut  # type: ignore[method-assign]
    here.store.write(b"new", here.name("report.json"))
    with pytest.raises(ObjectStoreError):
        here.pull("report.json")
    assert [path.name for path in here.folder.iterdir()] == ["report.json"]
    assert here.here("report.json").read_bytes() == b"old"
