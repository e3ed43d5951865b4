"""rkd serve and rkd demo: what is said when they are up, and what is refused before they start."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rkd_online import __version__
from rkd_online.service.settings import Settings
from tests.unit.cli.conftest import Rkd


@pytest.fixture
def taken() -> Iterator[str]:
    """A port on which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


@pytest.fixture
def free() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


@pytest.fixture(autouse=True)
def _nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(subprocess.Popen[bytes]):
        def __init__(self, *_: object, **__: object) -> None:
            pytest.fail("a process was started")

    monkeypatch.setattr(subprocess, "Popen", Refused)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be up at once, and end."""

    def serve(settings: Settings, *, local_ray: bool, announce: Callable[[Settings], None]) -> None:
        announce(settings)

    monkeypatch.setattr("rkd_online.service.server.serve", serve)


def test_a_taken_port_is_one_line_with_option_value_and_cure(
    rkd: Rkd, taken: str, tmp_path: Path
) -> None:
    outcome = rkd("serve", "--local-ray", "--port", taken, "--data-dir", str(tmp_path))
    assert (outcome.code, outcome.err) == (
        1,
        f"error: port {taken} on 127.0.0.1 cannot be used (Address already in use): stop what "
        "listens there, or choose another with --port or RKD_PORT\n",
    )


def test_a_taken_dashboard_port_is_refused_before_ray_is_started(
    rkd: Rkd, taken: str, free: str, tmp_path: Path
) -> None:
    ports = ("--port", free, "--dashboard-port", taken)
    outcome = rkd("serve", "--local-ray", *ports, "--data-dir", str(tmp_path))
    record, error = outcome.err.splitlines(keepends=True)
    assert json.loads(record)["event"] == "starting a local Ray"
    assert (outcome.code, error) == (
        1,
        f"error: port {taken} on 127.0.0.1, for the dashboard of the local Ray, cannot be used "
        "(Address already in use): stop what listens there, or choose another with "
        "--dashboard-port or RKD_LOCAL_RAY_PORT\n",
    )


def test_the_demo_does_not_take_another_control_plane_for_its_own(
    rkd: Rkd, taken: str, tmp_path: Path
) -> None:
    spec = Path(__file__).resolve().parents[3] / "examples" / "quickstart.yaml"
    outcome = rkd("demo", "--spec", str(spec), "--port", taken, "--data-dir", str(tmp_path))
    assert outcome.code == 1
    assert outcome.err.startswith(f"error: port {taken} on 127.0.0.1 cannot be used")


def test_a_served_api_says_where_everything_is(rkd: Rkd, served: None, tmp_path: Path) -> None:
    (tmp_path / "admin-key").write_text("rkd_...")
    outcome = rkd("serve", "--local-ray", "--port", "9000", "--data-dir", str(tmp_path))
    assert outcome.out.splitlines() == [
        f"rkd {__version__} is up at http://127.0.0.1:9000",
        "  API        http://127.0.0.1:9000/v1 (try it at http://127.0.0.1:9000/docs)",
        "  dashboard  http://127.0.0.1:8265 (Ray)",
        f"             its token is in {tmp_path}/ray-token",
        f"  records    {tmp_path}",
        f"  keys       the first administrator's lies in {tmp_path}/admin-key",
        "Submit a job: rkd submit SPEC --watch --url http://127.0.0.1:9000",
        "Ctrl-C ends it.",
        "ended; the jobs are kept",
    ]


def test_a_ray_that_does_not_answer_is_told(
    rkd: Rkd, served: None, tmp_path: Path, free: str
) -> None:
    ray = f"http://127.0.0.1:{free}"
    outcome = rkd("serve", "--ray-address", ray, "--data-dir", str(tmp_path))
    assert f"  dashboard  {ray} (Ray)\n" in outcome.out
    assert "not reachable now (ConnectError): jobs wait 120 s for it\n" in outcome.out


def test_ports_and_host_come_from_the_environment(
    rkd: Rkd, served: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Settings] = []
    monkeypatch.setattr(
        "rkd_online.service.server.serve", lambda settings, **_: found.append(settings)
    )
    monkeypatch.setenv("RKD_PORT", "9001")
    monkeypatch.setenv("RKD_HOST", "localhost")
    monkeypatch.setenv("RKD_LOCAL_RAY_PORT", "9002")
    rkd("serve", "--data-dir", str(tmp_path))
    rkd("serve", "--port", "9003", "--data-dir", str(tmp_path))
    assert [(one.host, one.port, one.local_ray_port) for one in found] == [
        ("localhost", 9001, 9002),
        ("localhost", 9003, 9002),
    ]


def test_a_setting_that_is_no_number_is_named_with_its_value(
    rkd: Rkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKD_POLL_SECONDS", "soon")
    assert rkd("serve").err == (
        "error: RKD_POLL_SECONDS is 'soon': Input should be a valid number, unable to parse string "
        "as a number\n"
    )


def test_a_password_in_a_setting_is_not_repeated(rkd: Rkd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RKD_OBJECT_STORE", "s3://somebody:hunter22@bucket")
    outcome = rkd("serve")
    assert outcome.code == 1
    assert outcome.err.startswith("error: RKD_OBJECT_STORE is 's3://somebody:***@bucket': ")
    assert "hunter22" not in outcome.err


def test_a_first_key_that_is_none_is_refused_and_not_shown(
    rkd: Rkd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RKD_FIRST_KEY", "hunter2")
    outcome = rkd("serve", "--data-dir", str(tmp_path))
    assert (outcome.code, outcome.err) == (
        1,
        "error: RKD_FIRST_KEY is ***: Value error, this is no key: its form is rkd_<id>_<secret>, "
        "and `rkd keys make-first` makes one\n",
    )
