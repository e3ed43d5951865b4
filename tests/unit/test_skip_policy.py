"""A skipped test fails the run unless it is listed with a reason."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
SKIPPED = "import pytest\n\n\ndef test_it():\n    pytest.skip('not today')\n"
SKIPPED_MODULE = "import pytest\n\npytest.skip('none of it', allow_module_level=True)\n"
EXPECTED_FAILURE = "import pytest\n\n\n@pytest.mark.xfail\ndef test_it():\n    assert False\n"


def run_pytest(folder: Path, source: str, allowed: str, *options: str) -> tuple[int, str]:
    shutil.copy(TESTS / "conftest.py", folder)
    (folder / "allowed_skips.txt").write_text(allowed)
    (folder / "test_it.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    command += options
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, cwd=folder)
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("source", "node"), [(SKIPPED, "test_it.py::test_it"), (SKIPPED_MODULE, "test_it.py")]
)
def test_a_skip_that_is_not_listed_fails_and_is_named(
    tmp_path: Path, source: str, node: str
) -> None:
    passing = tmp_path / "test_other.py"
    passing.write_text("def test_other():\n    pass\n")
    code, output = run_pytest(tmp_path, source, "# none\n")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "1 passed, 1 skipped" in output
    assert f"{node}: make it run, or list it in allowed_skips.txt" in output


@pytest.mark.parametrize("source", [SKIPPED, SKIPPED_MODULE])
def test_where_tests_run_beside_each_other_too(tmp_path: Path, source: str) -> None:
    code, output = run_pytest(tmp_path, source, "# none\n", "-n", "2")
    assert code != 0
    assert "make it run, or list it in allowed_skips.txt" in output


@pytest.mark.parametrize("listed", ["test_it.py::test_it", "test_it.py"])
def test_a_listed_skip_passes(tmp_path: Path, listed: str) -> None:
    code, output = run_pytest(tmp_path, SKIPPED, f"{listed} -- needs a GPU\n")
    assert code == 0
    assert "1 skipped" in output


def test_an_expected_failure_is_not_a_skip(tmp_path: Path) -> None:
    assert run_pytest(tmp_path, EXPECTED_FAILURE, "")[0] == 0


def test_a_listed_skip_needs_a_reason(tmp_path: Path) -> None:
    assert run_pytest(tmp_path, SKIPPED, "test_it.py::test_it\n")[0] == pytest.ExitCode.USAGE_ERROR
