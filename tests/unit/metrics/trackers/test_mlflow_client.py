"""What MLflow's client is given and what its errors may say; the rest is tested beside a server."""

import sys

import pytest

from rkd_online.metrics.trackers.backend import Unusable
from rkd_online.metrics.trackers.mlflow_client import MlflowServer, place_of, secrets_of, without


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(Unusable, match=r"install rkd-online\[mlflow\] there"):
        MlflowServer("http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("http://mlflow:5000", "http://mlflow:5000"),
        ("https://me:secret@mlflow.example/path?a=b", "https://mlflow.example"),
        ("http://[::1]:5000/", "http://[::1]:5000"),
    ],
)
def test_messages_name_a_server_without_credentials(address: str, place: str) -> None:
    assert place_of(address) == place


def test_no_message_has_a_credential_in_it() -> None:
    given = {"MLFLOW_TRACKING_PASSWORD": "hunter2", "MLFLOW_TRACKING_TOKEN": "t0ken"}
    secrets = secrets_of("http://me:p%40ss@mlflow:5000", given)
    said = "API request to http://me:p%40ss@mlflow:5000 with p@ss, p%40ss, hunter2 and t0ken failed"
    hidden = "API request to http://***@mlflow:5000 with ***, ***, *** and *** failed"
    assert without(said, secrets) == hidden
    assert secrets_of("http://mlflow:5000", {}) == []
