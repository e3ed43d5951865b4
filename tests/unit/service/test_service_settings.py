"""Where settings come from, and what is refused before anything is started."""

import socket
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from rkd_online.errors import ClusterError, ServiceError
from rkd_online.service.app import create_app
from rkd_online.service.local_ray import LocalRay
from rkd_online.service.server import ready_folder, serve
from rkd_online.service.settings import Settings
from rkd_online.service.variables import misspelt


def test_the_data_folder_is_absolute_and_holds_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    assert settings.data_dir == tmp_path / ".rkd"
    assert settings.database == f"sqlite+aiosqlite:///{tmp_path}/.rkd/rkd.db"
    assert settings.job_dir("job-1") == tmp_path / ".rkd/runs/job-1"


def test_environment_variables_set_what_no_argument_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKD_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("RKD_PORT", "9000")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "from-ray")
    settings = Settings(port=9001)
    assert (settings.data_dir, settings.port) == (tmp_path, 9001)
    assert settings.control_url == "http://127.0.0.1:9001"
    assert settings.ray_token == "from-ray"
    assert "from-ray" not in repr(settings)


def test_runs_report_to_the_public_url_where_there_is_one() -> None:
    assert Settings(public_url="http://head:8420/").control_url == "http://head:8420"
    assert Settings(host="::1", port=1).control_url == "http://[::1]:1"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("rkd.example.org", 200),
        ("RKD.example.org:443", 200),
        ("rkd.example.org.", 200),
        ("a.b.internal", 200),
        ("public.example", 200),
        ("internal", 421),
        ("example.org", 421),
        ("rkd.example.org.evil.example", 421),
    ],
)
@pytest.mark.asyncio
async def test_further_names_are_answered_where_they_are_allowed(
    settings: Settings, host: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKD_ALLOWED_HOSTS", "rkd.example.org, *.internal")
    monkeypatch.setenv("RKD_PUBLIC_URL", "https://public.example:8443")
    app = create_app(Settings(data_dir=settings.data_dir))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost"
    ) as http:
        answer = await http.get("/livez", headers={"Host": host})
    await app.state.services.database.close()
    assert answer.status_code == status


@pytest.mark.parametrize("name", ["https://rkd.example.org", "rkd:8420", "*", "a.*.b", ""])
def test_what_is_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="is no host name: give names such as"):
        Settings(allowed_hosts=(name,))


def test_a_variable_that_nobody_reads_gets_a_warning() -> None:
    given = {"RKD_MAX_RUNING_JOBS": "2", "RKD_PORT": "1", "RKD_URL": "x", "RKD_XYZZY": "1"}
    assert list(misspelt({**given, "PATH": "/bin"})) == [
        "RKD_MAX_RUNING_JOBS is no setting, and nothing reads it: "
        "did you mean RKD_MAX_RUNNING_JOBS?",
        "RKD_XYZZY is no setting, and nothing reads it",
    ]


def test_an_impossible_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 65535"):
        Settings(port=70000)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org"])
def test_a_host_that_other_machines_reach_is_refused_without_keys(
    settings: Settings, host: str
) -> None:
    with pytest.raises(ServiceError, match=f"host '{host}' can be reached from other machines"):
        serve(settings.model_copy(update={"host": host, "auth": "off"}), local_ray=False)


def test_a_data_folder_that_cannot_be_is_named_with_what_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "data"
    refused = rf"data folder {folder} cannot be used \(.*Not a directory.*RKD_DATA_DIR"
    with pytest.raises(ServiceError, match=refused):
        ready_folder(folder)
    ready_folder(tmp_path / "data")
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_a_port_in_use_is_named_before_anything_is_started(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=f"port {port} on 127.0.0.1 cannot be used"):
            serve(settings.model_copy(update={"port": port}), local_ray=True)
    assert not (settings.data_dir / "local-ray.log").exists()


def test_rays_port_in_use_is_named_before_ray_is_started(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ClusterError, match=f"port {port} .* RKD_LOCAL_RAY_PORT"):
            LocalRay.start(settings.model_copy(update={"local_ray_port": port}))
    assert not (settings.data_dir / "local-ray.log").exists()


def test_an_interpreter_without_ray_is_told_with_its_own_words(settings: Settings) -> None:
    changes = {"interpreter": "/bin/false", "local_ray_port": 18265}
    with pytest.raises(ClusterError, match="the local Ray ended with 1 while starting"):
        LocalRay.start(settings.model_copy(update=changes))


def test_rays_token_is_for_its_owner_alone_and_stays_the_same(settings: Settings) -> None:
    changes = {"interpreter": "/bin/false", "local_ray_port": 18265}
    tokens = []
    for _ in range(2):
        with pytest.raises(ClusterError):
            LocalRay.start(settings.model_copy(update=changes))
        path = settings.data_dir / "ray-token"
        tokens.append(path.read_text())
        assert path.stat().st_mode & 0o777 == 0o600
    assert tokens[0] == tokens[1]
    assert len(tokens[0]) == 64


def test_an_address_of_an_object_store_is_checked_before_anything_is_started() -> None:
    assert (
        Settings(object_store="s3://bucket/some/prefix/").object_store == "s3://bucket/some/prefix"
    )
    for address in ("https://bucket", "simplecache::s3://bucket", "s3://key:secret@bucket"):
        with pytest.raises(ValidationError, match="object_store"):
            Settings(object_store=address)
