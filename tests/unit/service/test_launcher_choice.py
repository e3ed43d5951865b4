"""Which launcher the settings choose, and what is refused before anything is started."""

from importlib import util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rkd_online.cli.app import app
from rkd_online.errors import ServiceError
from rkd_online.service.launchers.choose import launcher_of
from rkd_online.service.launchers.ray_jobs import RayJobs
from rkd_online.service.server import serve
from rkd_online.service.settings import Settings


@pytest.fixture
def rayjob(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", launcher="rayjob")


def token_of(job_id: str, attempt: int) -> str:
    return ""


def test_rays_jobs_api_is_the_default(tmp_path: Path) -> None:
    assert isinstance(launcher_of(Settings(data_dir=tmp_path), token_of), RayJobs)


def test_without_the_extra_it_is_named(rayjob: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    find = util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "lightkube" else find(name, package)

    monkeypatch.setattr("rkd_online.service.launchers.choose.find_spec", without)
    with pytest.raises(ServiceError, match=r"needs the package lightkube.* extra kubernetes"):
        launcher_of(rayjob, token_of)


def test_a_local_ray_would_never_be_used(rayjob: Settings) -> None:
    with pytest.raises(ServiceError, match="runs would never reach a local Ray"):
        serve(rayjob, local_ray=True)


@pytest.mark.parametrize(
    ("kubeconfig", "said"),
    [
        ("none", "RKD_LAUNCHER=rayjob finds no credentials for Kubernetes ("),
        ("kubeconfig", "RKD_RAYJOB_TEMPLATE is empty, and RKD_LAUNCHER=rayjob needs it"),
    ],
)
def test_serve_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kubeconfig: str, said: str
) -> None:
    (tmp_path / "kubeconfig").write_text(
        "current-context: c\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}]\n"
        "users: [{name: u, user: {token: t}}]\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\n"
    )
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / kubeconfig))
    monkeypatch.setenv("RKD_LAUNCHER", "rayjob")
    done = CliRunner().invoke(
        app, ["serve", "--data-dir", str(tmp_path / "data"), "--port", "18429"]
    )
    assert isinstance(done.exception, ServiceError)
    assert str(done.exception).startswith(said)
