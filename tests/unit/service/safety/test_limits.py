"""What jobs may name by default, and how an administrator says otherwise."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from rkd_online.service.safety.limits import limits_of
from rkd_online.service.settings import Settings
from tests.unit.service.safety.places import files, refused


def roots(settings: Settings, *, shared: bool) -> tuple[Path, ...]:
    return limits_of(settings, shared=shared).folders.roots


def test_one_user_may_name_what_lies_where_he_started_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    limits = limits_of(Settings(), shared=False)
    assert limits.folders.roots == (tmp_path,)
    assert limits.evaluated_answers
    assert refused(limits, policy__model=f"{tmp_path}/models/a", task=files(tmp_path)) == []
    assert len(refused(limits, policy__model=f"{tmp_path.parent}/a")) == 1
    assert len(refused(limits, policy__model=f"{tmp_path}/.rkd/rkd.db")) == 1


def test_on_a_shared_server_nothing_but_own_jobs_is_allowed_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    limits = limits_of(Settings(), shared=True)
    assert limits.folders.roots == ()
    assert not limits.evaluated_answers
    assert refused(limits) == []
    assert refused(limits, policy__model=f"{tmp_path}/models/a") == [
        f"policy.model: '{tmp_path}/models/a' lies outside of what jobs may name, or leads there "
        f"by a link: allowed are files of this project's jobs in {tmp_path}/.rkd/runs"
    ]


def test_a_service_started_in_the_root_folder_allows_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir("/")
    assert roots(Settings(data_dir=Path("/srv/rkd")), shared=False) == ()


@pytest.mark.parametrize(
    "given", ["/srv/models:data", '["/srv/models", "data"]', " /srv/models :data:"]
)
@pytest.mark.parametrize("shared", [True, False])
def test_folders_come_from_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, shared: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RKD_ALLOWED_PATHS", given)
    assert roots(Settings(), shared=shared) == (Path("/srv/models"), tmp_path / "data")


def test_no_folder_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RKD_ALLOWED_PATHS", "")
    assert roots(Settings(), shared=False) == ()


def test_a_folder_of_the_settings_has_no_way_up_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    settings = Settings(allowed_paths=(Path("/srv/a/../b"), Path("~/models")))
    assert settings.allowed_paths == (Path("/srv/b"), Path("/home/someone/models"))


def test_a_list_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RKD_ALLOWED_PATHS", '["/srv/models"')
    with pytest.raises(ValidationError, match="allowed_paths"):
        Settings()


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("given", [True, False])
def test_evaluated_answers_are_what_the_administrator_says(shared: bool, given: bool) -> None:
    settings = Settings(allow_evaluated_answers=given)
    assert limits_of(settings, shared=shared).evaluated_answers is given
