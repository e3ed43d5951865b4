import os
import subprocess
import sys
from pathlib import Path

import pytest

from rkd_online.cli.terminal import own_terminal
from rkd_online.errors import ModelError


def test_only_our_console_reaches_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "new" / "output.log"
    with own_terminal(log) as terminal:
        os.write(1, b"from C\n")
        subprocess.run([sys.executable, "-c", "import os; os.write(2, b'from a child\\n')"])
        terminal.print("ours")
    print("afterwards")
    os.write(2, b"errors too\n")
    assert capfd.readouterr() == ("ours\nafterwards\n", "errors too\n")
    assert sorted(log.read_text().splitlines()) == ["from C", "from a child"]


def test_the_log_grows_from_run_to_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "output.log"
    for line in (b"first\n", b"second\n"):
        with own_terminal(log):
            os.write(1, line)
    assert log.read_text() == "first\nsecond\n"


def test_an_error_that_is_not_ours_comes_with_the_place_of_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "output.log"
    with pytest.raises(ValueError, match="from vLLM") as foreign, own_terminal(log):
        raise ValueError("from vLLM")
    assert foreign.value.__notes__ == [f"What libraries printed before is in {log}"]
    with pytest.raises(ModelError, match="from us") as own, own_terminal(log):
        raise ModelError("from us")
    assert not hasattr(own.value, "__notes__")
    print("the terminal is back")
    assert capfd.readouterr().out == "the terminal is back\n"
