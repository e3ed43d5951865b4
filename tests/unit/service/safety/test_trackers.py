"""A job names a tracking server by a name of the administrator's, never by its address."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from rkd_online.service.safety.limits import limits_of
from rkd_online.service.settings import Settings
from tests.unit.service.safety.places import Places, refused


def test_a_server_that_the_administrator_named_is_allowed(places: Places) -> None:
    assert places.lines(trackers=[{"type": "mlflow", "endpoint": "team"}]) == []
    assert places.lines(trackers=[{"type": "tensorboard"}]) == []


def test_another_name_is_refused_with_those_that_are_allowed(places: Places) -> None:
    asked = [{"type": "tensorboard"}, {"type": "mlflow", "endpoint": "tema"}]
    assert places.lines(trackers=asked) == [
        "trackers.1.endpoint: 'tema' is no tracking server of this control plane; did you mean "
        "'team'? (allowed: team); only the administrator can name one (RKD_TRACKERS)"
    ]


def test_where_none_is_named_none_is_allowed(tmp_path: Path) -> None:
    limits = limits_of(Settings(data_dir=tmp_path), shared=False)
    assert refused(limits, trackers=[{"type": "mlflow"}]) == [
        "trackers.0.endpoint: 'default' is no tracking server of this control plane (there are "
        "none); only the administrator can name one (RKD_TRACKERS)"
    ]


def test_the_setting_is_a_mapping_in_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    servers = {"team": "http://mlflow:5000", "lab": "https://mlflow.example/team/"}
    monkeypatch.setenv("RKD_TRACKERS", json.dumps(servers))
    settings = Settings(data_dir=tmp_path)
    assert settings.trackers == servers
    assert limits_of(settings, shared=True).trackers == ("team", "lab")


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [
        ("Team", "http://mlflow", "'Team' should be a name of lower-case letters"),
        ("team", "mlflow:5000", "team: 'mlflow:5000' should be an address such as"),
        ("team", "file:///tmp/runs", "should be an address such as http://mlflow:5000"),
        ("team", "sqlite:///runs.db", "should be an address such as http://mlflow:5000"),
        ("team", "http://", "should be an address such as http://mlflow:5000"),
        ("team", "http://mlflow:99999", "should be an address such as http://mlflow:5000"),
        ("team", "http://me@mlflow", "an address has no credentials"),
        ("team", "http://mlflow?a=b", "an address has no credentials"),
    ],
)
def test_what_is_no_server_is_refused_at_the_start(
    tmp_path: Path, name: str, address: str, said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings(data_dir=tmp_path, trackers={name: address})


def test_a_password_in_a_setting_is_not_repeated_in_its_refusal(tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(data_dir=tmp_path, trackers={"team": "http://me:hunter2@mlflow"})
    assert "hunter2" not in refused.value.errors()[0]["msg"]
