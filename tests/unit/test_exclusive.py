"""One process at a time uses a folder."""

from pathlib import Path

import pytest

from rkd_online.errors import RecordError
from rkd_online.locks import exclusive
from rkd_online.run.inline import run_inline
from rkd_online.run.records import RunFolder
from rkd_online.spec.load import parse_spec
from tests.unit.spec.job import job


def test_a_lock_is_had_once_and_again_after_its_end(tmp_path: Path) -> None:
    with exclusive(tmp_path / "lock") as first, exclusive(tmp_path / "lock") as second:
        assert (first, second) == (True, False)
    with exclusive(tmp_path / "lock") as again:
        assert again


def test_a_run_in_the_folder_of_a_living_one_is_refused(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "run.lock"),
        pytest.raises(RecordError, match=r"another process runs in .*: wait for it, or choose"),
    ):
        run_inline(parse_spec(job()), RunFolder(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["run.lock"]
