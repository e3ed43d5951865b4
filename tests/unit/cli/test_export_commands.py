"""rkd export and rkd collect: what they ask for, and what they say where there is nothing."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rkd_online.cli import extras
from rkd_online.spec import JobSpec
from tests.unit.cli.conftest import Rkd
from tests.unit.cli.test_help import ASK, HEAVY, python
from tests.unit.export.jobs import make_job

TEACHER = "zoo:chain-sum/teacher"


@dataclass
class Collected:
    """In place of the run that samples."""

    asked: list[tuple[JobSpec, str, Path]] = field(default_factory=list)

    def collect(self, spec: JobSpec, name: str, out: Path, watch: Any) -> SimpleNamespace:
        self.asked.append((spec, name, out))
        watch(0, 1200)
        watch(1200, 1200)
        return SimpleNamespace(rows=2400, groups=1200)


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Collected:
    found = Collected()
    monkeypatch.setitem(sys.modules, "rkd_online.run.collect", found)
    return found


def test_collect_asks_what_the_options_say(rkd: Rkd, collected: Collected, tmp_path: Path) -> None:
    store = tmp_path / "store"
    outcome = rkd(
        "collect", TEACHER, "chain_sum", "--out", str(store), "--prompts", "1200", "--samples", "2",
        "--temperature", "0.8", "--max-new-tokens", "40", "--set", "task.max_terms=3",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    ((spec, name, out),) = collected.asked
    assert (name, out, spec.policy.model, spec.teacher) == (
        "teacher",
        store,
        TEACHER,
        None,
    )
    assert (spec.evaluation.prompts, spec.evaluation.samples) == (1200, 2)
    assert (spec.rollout.temperature, spec.rollout.max_new_tokens) == (0.8, 40)
    assert spec.task.model_dump()["max_terms"] == 3
    assert outcome.out == f"written: {store}, 2,400 completions of 1,200 prompts\n"
    assert (store / "asked.json").is_file()


def test_collect_has_defaults(rkd: Rkd, collected: Collected, tmp_path: Path) -> None:
    assert rkd("collect", TEACHER, "chain_sum", "--out", str(tmp_path / "store")).code == 0
    spec = collected.asked[0][0]
    assert (spec.evaluation.prompts, spec.evaluation.samples) == (1024, 4)
    assert (spec.rollout.temperature, spec.rollout.max_new_tokens) == (1.0, 128)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--temperature", "0"], "rollout.temperature: found 0.0, should be greater than 0"),
        (["--set", "steps=3"], "--set steps: an evaluation has no such field"),
    ],
)
def test_what_cannot_be_collected_is_told(
    rkd: Rkd, collected: Collected, arguments: list[str], message: str
) -> None:
    outcome = rkd("collect", TEACHER, "chain_sum", "--out", "store", *arguments)
    assert (outcome.code, collected.asked) == (1, [])
    assert message in outcome.err


@pytest.mark.parametrize("what", ["checkpoint", "rollouts"])
def test_an_unknown_job_is_an_error(rkd: Rkd, tmp_path: Path, what: str) -> None:
    make_job(tmp_path, "quickstart")
    outcome = rkd("export", what, "quikstart", "--out", "out", "--data-dir", str(tmp_path))
    assert (outcome.code, outcome.out) == (1, "")
    assert "there is no job 'quikstart'" in outcome.err
    assert "did you mean 'quickstart'" in outcome.err


def test_a_checkpoint_is_exported_by_its_step(rkd: Rkd, tmp_path: Path) -> None:
    make_job(tmp_path, checkpoints=(0, 20))
    out = tmp_path / "out"
    command = ["export", "checkpoint", "sums", "--out", str(out), "--data-dir", str(tmp_path)]
    outcome = rkd(*command, "--step", "0")
    assert outcome.code == 0, outcome.err
    assert outcome.out == f"written: {out}, the weights of sums after step 0\n"
    assert json.loads((out / "provenance.json").read_text())["step"] == 0
    assert "replace it with --force" in rkd(*command).err
    assert rkd(*command, "--force").code == 0
    assert json.loads((out / "provenance.json").read_text())["step"] == 20


def test_a_base_install_says_what_is_missing(rkd: Rkd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    outcome = rkd("export", "checkpoint", "sums", "--out", "out")
    assert outcome.err.startswith("error: `rkd export` needs torch, transformers, which this base")


@pytest.mark.parametrize("command", ["collect --help", "export --help", "export checkpoint --help"])
def test_help_imports_nothing_heavy(command: str) -> None:
    code, found = json.loads(python(ASK, *command.split()).splitlines()[-1])
    assert (code, HEAVY & set(found)) == (0, set())
