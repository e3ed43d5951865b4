"""What the shell completes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import typer

from rkd_online.cli.completion import complete_jobs, complete_keys, complete_projects
from tests.unit.cli.answers import JOB, Answers, page, record
from tests.unit.cli.conftest import Rkd
from tests.unit.cli.test_access_commands import KEY, PROJECT, listed

ROOT = Path(__file__).resolve().parents[3]
MAIN = "import sys; sys.argv = ['rkd', *sys.argv[1:]]; from rkd_online.cli import main; main()"


def completed(words: str) -> list[str]:
    """What bash is given for the last of these words."""
    asked = {
        "_RKD_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
        "RKD_URL": "http://127.0.0.1:9",
    }
    found = subprocess.run(
        [sys.executable, "-c", MAIN],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **asked},
        check=True,
    )
    assert found.stderr == ""
    return found.stdout.split()


def test_commands_options_and_statuses_are_completed() -> None:
    assert completed("rkd re") == ["resume", "report"]
    assert completed("rkd keys r") == ["rotate", "revoke"]
    assert completed("rkd list --sta") == ["--status"]
    assert completed("rkd list --status pa") == ["pausing", "paused"]
    assert completed("rkd keys make x --scope s") == ["submitter"]


def test_where_nothing_answers_nothing_is_completed_and_nothing_said() -> None:
    began = time.monotonic()
    assert completed("rkd show job-") == []
    assert time.monotonic() - began < 30


def test_completion_can_be_installed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAIN, "--install-completion", "bash"]
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    written = (tmp_path / ".bash_completions" / "rkd.sh").read_text()
    assert "_RKD_COMPLETE=complete_bash" in written
    assert "rkd.sh" in (tmp_path / ".bashrc").read_text()


@pytest.fixture
def ctx(rkd: Rkd) -> typer.Context:
    command = typer.main.get_command(typer.Typer(callback=lambda: None))
    context = typer.Context(command)
    context.params["url"] = "http://head:9000"
    return context


def test_ids_are_completed_with_what_they_are(ctx: typer.Context, answers: Answers) -> None:
    other = record("paused") | {"id": "job-x"}
    answers.by_path = {
        "GET /v1/jobs": page(record("running"), other),
        "GET /v1/projects": listed(PROJECT),
        "GET /v1/api-keys": listed(KEY, KEY | {"id": "x", "revoked_at": "2026-03-01T12:00:00Z"}),
    }
    assert complete_jobs(ctx, "job-0") == [(JOB, "quickstart, running")]
    assert complete_jobs(ctx, "") == [(JOB, "quickstart, running"), ("job-x", "quickstart, paused")]
    assert complete_projects(ctx, "res") == [("research", "")]
    assert complete_keys(ctx, "") == [(KEY["id"], "Ada [laptop], submitter")]
    assert {request.url.host for request in answers.asked} == {"head"}


def test_an_answer_that_does_not_come_is_not_waited_for(
    ctx: typer.Context, answers: Answers
) -> None:
    answers.by_path = {"GET /v1/jobs": httpx.ReadTimeout("timed out")}
    assert complete_jobs(ctx, "") == []
    timeout = answers.asked[0].extensions["timeout"]
    assert (len(answers.asked), timeout["connect"], timeout["read"]) == (1, 1.5, 1.5)
