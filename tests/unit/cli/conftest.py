"""The command line as a user meets it: arguments in, exit code and both outputs back."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from rkd_online.cli import main
from rkd_online.client import clock
from tests.unit.cli.answers import Answers


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Rkd = Callable[..., Outcome]


@pytest.fixture
def rkd(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Rkd:
    """Run a command in this process, on 80 columns, without what the environment would add and
    without the logins of who runs the tests."""
    for name in (
        "RKD_URL",
        "RKD_PORT",
        "RKD_HOST",
        "RKD_DATA_DIR",
        "RKD_LOCAL_RAY_PORT",
        "RKD_API_KEY",
        "RKD_OBJECT_STORE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(clock, "sleep", lambda seconds: None)

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["rkd", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), shown.out, shown.err)

    return run


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """A control plane that answers as a test says, wherever it is looked for."""
    answers = Answers()
    real = httpx.Client
    transport = httpx.MockTransport(answers)
    monkeypatch.setattr("httpx.Client", lambda **asked: real(**{**asked, "transport": transport}))
    return answers
