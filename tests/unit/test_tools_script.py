"""``make tools``: what it installs, and what it says to whom may not."""

import os
import subprocess
from typing import Any

import pytest

from scripts import tools
from tests.programs import needs_root, program


def test_the_list_names_a_package_a_line() -> None:
    assert tools.packages("# why\nbuildah\n\n prometheus \n") == ["buildah", "prometheus"]


def test_what_is_on_the_path_is_not_installed_again() -> None:
    assert tools.missing(["sh", "no-such-program"]) == ["no-such-program"]


def test_root_on_debian_gets_what_is_missing_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **_: Any) -> None:
        ran.append(command)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(tools, "missing", lambda names: ["buildah"])
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    tools.main()
    assert ran == [
        ["apt-get", "-q", "update"],
        ["apt-get", "-q", "install", "-y", "--no-install-recommends", "buildah"],
    ]


@pytest.mark.parametrize(("apt", "user"), [(None, 0), ("/usr/bin/apt-get", 1000)])
def test_anyone_else_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, apt: str | None, user: int
) -> None:
    monkeypatch.setattr(tools, "missing", lambda names: ["buildah", "prometheus"])
    monkeypatch.setattr("shutil.which", lambda name: apt)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(SystemExit, match="as root: buildah prometheus"):
        tools.main()


def test_a_missing_program_skips_its_test_and_fails_it_in_ci(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program is not on the path"):
        program("no-such-program")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="`make tools` installs it"):
        program("no-such-program")


def test_a_user_without_root_skips_what_needs_it_and_fails_it_in_ci(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    needs_root()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs root"):
        needs_root()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="needs root"):
        needs_root()
