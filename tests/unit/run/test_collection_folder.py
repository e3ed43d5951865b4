"""Whose folder a collection may take."""

from pathlib import Path

import pytest

from rkd_online.errors import RecordError
from rkd_online.run.collection_folder import begin
from rkd_online.spec import JobSpec
from tests.unit.spec.job import job

SPEC = JobSpec.model_validate(job(teacher=None, algorithm__type="grpo"))
OTHER = SPEC.model_copy(update={"seed": 1})


def test_a_new_folder_says_what_is_asked_and_the_same_goes_on(tmp_path: Path) -> None:
    place = tmp_path / "new" / "store"
    begin(SPEC, place)
    assert JobSpec.model_validate_json((place / "asked.json").read_bytes()) == SPEC
    (place / "data").mkdir()
    begin(SPEC, place)
    assert sorted(path.name for path in place.iterdir()) == ["asked.json", "data"]


def test_another_collection_does_not_go_on_with_it(tmp_path: Path) -> None:
    begin(SPEC, tmp_path / "store")
    with pytest.raises(RecordError, match="an unfinished collection that asked something else"):
        begin(OTHER, tmp_path / "store")


def test_a_store_and_anything_else_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text("{}")
    with pytest.raises(RecordError, match="holds a store already: choose another folder"):
        begin(SPEC, tmp_path)
    (tmp_path / "store.json").rename(tmp_path / "thesis.tex")
    with pytest.raises(RecordError, match="is not empty: choose another folder"):
        begin(SPEC, tmp_path)
    with pytest.raises(RecordError, match="is not empty: choose another folder"):
        begin(SPEC, tmp_path / "thesis.tex")
