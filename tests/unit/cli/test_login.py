"""Which key goes with a request, and how one is kept."""

import fcntl
import io
import json
import os
import pty
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from rkd_online.cli.connection import find_key
from tests.unit.cli.answers import Answers, page, problem
from tests.unit.cli.conftest import Rkd

ROOT = Path(__file__).resolve().parents[3]
URL = "http://127.0.0.1:8420"
HEAD = "http://head:9000"
WHO = {"id": "4n8q1zx70vbd", "name": "Ada [laptop]", "project": "research", "scope": "submitter"}


@pytest.fixture
def kept(rkd: Rkd, tmp_path: Path) -> Path:
    """Where logins are kept in these tests."""
    return tmp_path / "config" / "rkd" / "logins.json"


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def bearers(answers: Answers) -> list[str | None]:
    return [request.headers.get("Authorization") for request in answers.asked]


def test_a_login_is_checked_and_kept_for_its_owner_alone(
    rkd: Rkd, answers: Answers, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.by_path = {"GET /v1/whoami": WHO, "GET /v1/jobs": page()}
    typed(monkeypatch, "rkd_secret\n")
    outcome = rkd("login", "--url", f"{HEAD}/")
    assert (outcome.code, outcome.out.splitlines()) == (
        0,
        [
            f"logged in at {HEAD} as Ada [laptop], submitter of the project research",
            f"the key is kept in {kept}",
        ],
    )
    assert json.loads(kept.read_text()) == {HEAD: "rkd_secret"}
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert os.listdir(kept.parent) == ["logins.json"]
    rkd("list", "--url", HEAD)
    rkd("list", "--url", "http://other:9000")
    assert bearers(answers) == ["Bearer rkd_secret", "Bearer rkd_secret", None]


def test_a_key_that_is_not_known_is_not_kept(
    rkd: Rkd, answers: Answers, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.by_path = {"GET /v1/whoami": problem(401, "invalid_key", "this key is unknown")}
    typed(monkeypatch, "rkd_wrong\n")
    outcome = rkd("login")
    assert (outcome.code, outcome.err) == (
        1,
        f"error: {URL} does not know this key, or it is expired or revoked: nothing is kept\n",
    )
    assert not kept.exists()
    typed(monkeypatch, "\n")
    assert rkd("login").err == "error: no key was given: nothing is kept\n"


def test_logins_are_per_address_and_can_be_forgotten(
    rkd: Rkd, answers: Answers, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.by_path = {"GET /v1/whoami": WHO}
    for url, key in ((URL, "rkd_one"), (HEAD, "rkd_two"), (URL, "rkd_three")):
        typed(monkeypatch, key)
        assert rkd("login", "--url", url, "--json").code == 0
    assert json.loads(kept.read_text()) == {URL: "rkd_three", HEAD: "rkd_two"}
    assert rkd("logout", "--url", HEAD).out == (
        f"forgot the key for {HEAD}; `rkd keys revoke KEY --url {HEAD}` would end it\n"
    )
    assert rkd("logout", "--url", HEAD).out == f"no key is kept for {HEAD}\n"
    assert json.loads(rkd("logout", "--json").out) == {"url": URL, "forgotten": True}
    assert json.loads(kept.read_text()) == {}


def test_the_environment_goes_before_a_login_and_that_before_the_data_folder(
    rkd: Rkd, answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.by_path = {"GET /v1/whoami": WHO}
    (tmp_path / "admin-key").write_text("rkd_first\n")
    monkeypatch.setenv("RKD_DATA_DIR", str(tmp_path))
    assert rkd("whoami").out.splitlines() == [
        f"Ada [laptop] (4n8q1zx70vbd): submitter of the project research at {URL}",
        f"the key comes from {tmp_path}/admin-key",
    ]
    typed(monkeypatch, "rkd_kept")
    rkd("login")
    assert rkd("whoami").out.endswith(
        "the key comes from " + f"{tmp_path}/config/rkd/logins.json\n"
    )
    monkeypatch.setenv("RKD_API_KEY", "rkd_set")
    assert rkd("whoami").out.endswith("the key comes from RKD_API_KEY\n")
    assert bearers(answers) == [
        *("Bearer rkd_first", "Bearer rkd_kept", "Bearer rkd_kept", "Bearer rkd_set")
    ]
    typed(monkeypatch, "rkd_kept")
    assert rkd("login").out.endswith("RKD_API_KEY is set, and goes before what is kept\n")


def test_the_first_key_of_a_folder_goes_nowhere_else(
    rkd: Rkd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "admin-key").write_text("rkd_first\n")
    monkeypatch.setenv("RKD_DATA_DIR", str(tmp_path))
    assert [find_key(url).key for url in (URL, "http://localhost:1", HEAD)] == [
        *("rkd_first", "rkd_first", "")
    ]


def test_a_file_of_keys_that_others_can_read_is_refused(rkd: Rkd, kept: Path) -> None:
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    kept.chmod(0o640)
    assert rkd("list").err == (
        f"error: {kept} has keys and mode 640, others can use it: chmod 600 it\n"
    )
    kept.chmod(0o600)
    kept.write_text("no json")
    assert rkd("list").err.startswith(f"error: {kept} is no JSON (")


@pytest.mark.parametrize("command", [["list"], ["keys", "list"], ["submit", "SPEC", "--dry-run"]])
def test_without_a_key_rkd_login_is_named(rkd: Rkd, answers: Answers, command: list[str]) -> None:
    spec = str(ROOT / "examples" / "quickstart.yaml")
    refusal = problem(401, "missing_key", "this needs an API key: send `Authorization: ...`")
    answers.by_path = dict.fromkeys(
        ("GET /v1/jobs", "GET /v1/api-keys", "POST /v1/jobs:validate"), refusal
    )
    outcome = rkd(*(spec if word == "SPEC" else word for word in command), "--url", HEAD)
    assert (outcome.code, outcome.err) == (
        1,
        f"error: this needs an API key: `rkd login --url {HEAD}` asks for one and keeps it\n",
    )


def test_a_key_that_is_no_longer_good_is_named_by_its_place(
    rkd: Rkd, answers: Answers, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = problem(401, "invalid_key", "this key is unknown, expired or revoked")
    answers.by_path = {"GET /v1/whoami": WHO, "GET /v1/jobs": refusal}
    typed(monkeypatch, "rkd_old")
    rkd("login")
    assert rkd("list").err == (
        f"error: the key in {kept} is unknown, expired or revoked at {URL}: `rkd login` takes "
        "another one\n"
    )
    monkeypatch.setenv("RKD_API_KEY", "rkd_older")
    assert rkd("list").err == (
        f"error: the key in RKD_API_KEY is unknown, expired or revoked at {URL}: set another one\n"
    )


@pytest.mark.parametrize("key", ["rkd_ü", "rkd_a\tb"])
def test_a_key_that_no_header_can_hold_is_refused(
    rkd: Rkd, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("RKD_API_KEY", key)
    assert rkd("list").err == ("error: the API key has characters that no key has: copy it again\n")


@pytest.fixture
def who_server() -> Iterator[str]:
    """Knows one key."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] == "Bearer rkd_typed"
            body = json.dumps(WHO).encode()
            self.send_response(200 if known and self.path == "/v1/whoami" else 500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_on_a_terminal_address_and_key_are_asked_for_and_the_key_is_not_shown(
    who_server: str, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    with subprocess.Popen(
        [sys.executable, "-m", "rkd_online.cli", "login"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        preexec_fn=take_terminal,
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "COLUMNS": "200", "TERM": "dumb"},
    ) as process:
        os.close(theirs)
        shown = answered(ours, b"[http://127.0.0.1:8420]: ", who_server)
        shown += answered(ours, b"(not shown): ", "rkd_typed")
        shown += until_closed(ours)
        assert process.wait(60) == 0, shown
    os.close(ours)
    assert b"rkd_typed" not in shown
    assert f"logged in at {who_server} as Ada [laptop]".encode() in shown
    assert json.loads((tmp_path / "rkd" / "logins.json").read_text()) == {who_server: "rkd_typed"}


def answered(terminal: int, prompt: bytes, answer: str) -> bytes:
    """Wait for a prompt and type."""
    seen = b""
    while not seen.endswith(prompt):
        seen += os.read(terminal, 1)
    os.write(terminal, f"{answer}\n".encode())
    return seen


def until_closed(terminal: int) -> bytes:
    """The rest: the system ends a terminal that nobody has any more with an error."""
    seen = b""
    try:
        while part := os.read(terminal, 1000):
            seen += part
    except OSError:
        pass
    return seen
