"""rkd run: how it ends when it is stopped, and what it asks for."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rkd_online.cli import extras
from rkd_online.run.records import RunFolder
from tests.unit.cli.conftest import Rkd
from tests.unit.cli.test_job_commands import QUICKSTART


@pytest.fixture
def stopped_after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the run be stopped by Ctrl-C when these checkpoints are written whole."""

    def checkpoints(*steps: int) -> None:
        def run_inline(spec: object, folder: RunFolder, sinks: object) -> None:
            for step in steps:
                place = folder.attempt(1).checkpoints / f"step-{step:06d}"
                place.mkdir(parents=True)
                (place / "manifest.json").touch()
            raise KeyboardInterrupt

        stub = SimpleNamespace(run_inline=run_inline)
        monkeypatch.setitem(sys.modules, "rkd_online.run.inline", stub)

    return checkpoints


def test_ctrl_c_says_where_the_same_command_goes_on(
    rkd: Rkd, stopped_after: Any, tmp_path: Path
) -> None:
    stopped_after(0, 20, 40)
    outcome = rkd("run", QUICKSTART, "--data-dir", str(tmp_path))
    assert (outcome.code, outcome.err) == (
        130,
        "stopped: the same command goes on from the checkpoint of step 40\n",
    )


def test_ctrl_c_before_the_first_checkpoint_says_that_it_begins_again(
    rkd: Rkd, stopped_after: Any, tmp_path: Path
) -> None:
    stopped_after(0)
    outcome = rkd("run", QUICKSTART, "--data-dir", str(tmp_path))
    assert (outcome.code, outcome.err) == (
        130,
        "stopped: the same command begins again: there is no checkpoint yet\n",
    )


def test_a_base_install_says_what_is_missing(rkd: Rkd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: name == "torch" or None)
    outcome = rkd("run", QUICKSTART)
    assert (outcome.code, outcome.err) == (
        1,
        "error: `rkd run` needs transformers, vllm, which this base install leaves out: install "
        "the extra cpu or cuda of rkd-online (`make setup` does, in a clone)\n",
    )


def test_a_model_that_is_not_there_is_told_before_anything_heavy(
    rkd: Rkd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: pytest.fail("looked for packages"))
    spec = tmp_path / "job.yaml"
    text = Path(QUICKSTART).read_text().replace("zoo:chain-sum/student", "/no/model")
    spec.write_text(text)
    outcome = rkd("run", str(spec), "--data-dir", str(tmp_path))
    assert outcome.code == 1
    assert outcome.err.startswith("error: policy.model: there is no folder /no/model")
    assert list(tmp_path.iterdir()) == [spec]
