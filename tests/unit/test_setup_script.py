"""``make setup``: what it refuses, where torch comes from, and that a failure leaves no stamp."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import setup

GLIBC = ("glibc", "2.36")
TORCH = "torch==2.13.0+cpu"
NOT_FOUND = f"ERROR: No matching distribution found for {TORCH}\n"
Pip = Callable[[list[str]], tuple[int, str]]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    monkeypatch.setattr(setup, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(setup, "STAMP", tmp_path / ".venv" / "setup.stamp")
    return []


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]) -> Callable[[Pip], None]:
    """Let a function stand for every program that the script runs."""

    def use(pip: Pip) -> None:
        def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
            commands.append(list(command))
            code, errors = pip(commands[-1])
            return subprocess.CompletedProcess(command, code, stderr=errors)

        monkeypatch.setattr("scripts.setup.subprocess.run", run)

    return use


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 1), (3, 13, 9)])
def test_python_3_11_to_3_13_are_supported(version: tuple[int, ...]) -> None:
    assert setup.python_problem(version, "CPython") == ""


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 14, 0)])
def test_another_python_is_named_with_what_to_type(version: tuple[int, ...]) -> None:
    problem = setup.python_problem(version, "CPython")
    assert ".".join(map(str, version)) in problem
    assert "make setup PYTHON=python3.12" in problem


def test_pypy_is_refused_by_name() -> None:
    assert "PyPy" in setup.python_problem((3, 11, 9), "PyPy")


@pytest.mark.parametrize(
    ("system", "machine", "libc", "named"),
    [
        ("Darwin", "arm64", ("", ""), "Darwin on arm64"),
        ("Linux", "aarch64", GLIBC, "Linux on aarch64"),
        ("Windows", "AMD64", ("", ""), "Windows on AMD64"),
        ("Linux", "x86_64", ("", ""), "another C library"),
        ("Linux", "x86_64", ("glibc", "2.28"), "glibc 2.28"),
    ],
)
def test_another_platform_is_named(
    system: str, machine: str, libc: tuple[str, str], named: str
) -> None:
    assert named in setup.platform_problem(system, machine, libc)


def test_linux_on_x86_64_is_supported() -> None:
    assert setup.platform_problem("Linux", "x86_64", GLIBC) == ""
    assert setup.platform_problem("Linux", "x86_64", ("glibc", "2.31")) == ""


def test_a_missing_compiler_or_header_is_named(tmp_path: Path) -> None:
    assert "a C compiler" in setup.tools_problem(None, tmp_path, True)
    assert f"Python.h in {tmp_path}" in setup.tools_problem("/usr/bin/cc", tmp_path, True)
    assert "python3-venv" in setup.tools_problem("/usr/bin/cc", tmp_path, False)
    (tmp_path / "Python.h").touch()
    assert setup.tools_problem("/usr/bin/cc", tmp_path, True) == ""


def test_torch_is_taken_from_where_pip_looks(
    commands: list[list[str]], answer: Callable[[Pip], None]
) -> None:
    answer(lambda command: (0, ""))
    assert setup.install_torch(setup.VENV, TORCH) == "where pip is configured to look"
    assert len(commands) == 1
    assert "--index-url" not in commands[0]


def test_torch_is_else_taken_from_its_own_index(
    commands: list[list[str]], answer: Callable[[Pip], None]
) -> None:
    answer(lambda command: (0, "") if "--index-url" in command else (1, NOT_FOUND))
    assert setup.install_torch(setup.VENV, TORCH) == "https://download.pytorch.org/whl/cpu"
    assert len(commands) == 2
    assert commands[1][-2:] == ["--index-url", "https://download.pytorch.org/whl/cpu"]
    assert TORCH in commands[1]


def test_where_torch_is_nowhere_both_attempts_are_shown(
    commands: list[list[str]], answer: Callable[[Pip], None]
) -> None:
    answer(lambda command: (1, NOT_FOUND))
    with pytest.raises(setup.SetupError, match=r"--index-url https://(?s:.*)No matching") as caught:
        setup.install_torch(setup.VENV, TORCH)
    assert str(caught.value).startswith("this failed, see above: ")
    assert len(commands) == 2


def test_pip_installs_the_lock_where_uv_cannot(
    tmp_path: Path, commands: list[list[str]], answer: Callable[[Pip], None]
) -> None:
    (tmp_path / ".venv").mkdir()
    answer(lambda command: (int(command[0].endswith("/uv")), ""))
    assert setup.install_locks(["rich==15.0.0", "uv==0.13.9"]) == "pip"
    assert [Path(command[0]).name for command in commands] == ["python", "uv", "python"]
    assert (tmp_path / ".venv" / "setup-requirements.txt").read_text() == (
        "rich==15.0.0\nuv==0.13.9\n"
    )


def test_a_failure_leaves_no_stamp(
    monkeypatch: pytest.MonkeyPatch, commands: list[list[str]], answer: Callable[[Pip], None]
) -> None:
    setup.STAMP.parent.mkdir()
    setup.STAMP.write_text("of an earlier lock")
    monkeypatch.setattr(setup, "check_machine", lambda: None)
    monkeypatch.setattr(setup, "make_venv", lambda: None)
    answer(lambda command: (int("-e" in command), ""))
    with pytest.raises(setup.SetupError, match="no-build-isolation"):
        setup.main()
    assert not setup.STAMP.exists()


def test_the_digest_changes_with_every_part(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("a==1\n")
    first = setup.digest([lock], "3.11", "/home")
    assert first == setup.digest([lock], "3.11", "/home")
    assert first != setup.digest([lock], "3.12", "/home")
    assert first != setup.digest([lock], "3.11", "/elsewhere")
    lock.write_text("a==2\n")
    assert first != setup.digest([lock], "3.11", "/home")
