"""What the help pages offer, and what the command line costs to import."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from rkd_online.cli.app import app
from tests.unit.cli.conftest import Rkd
from tests.unit.evaluation.sample_report import report
from tests.unit.metrics.traced import two_steps

ROOT = Path(__file__).resolve().parents[3]
HEAVY = {"matplotlib", "numpy", "pyarrow", "ray", "sqlalchemy", "torch", "transformers", "vllm"}
LATE = HEAVY | {"alembic", "fastapi", "httpx"}
"""What arguments can be parsed without."""
ASK = """
import json, sys
from rkd_online.cli import main
sys.argv = ["rkd", *sys.argv[1:]]
try:
    main()
except SystemExit as ended:
    code = ended.code or 0
found = sorted({name.partition(".")[0] for name in sys.modules})
print("\\n" + json.dumps([code, found]))
"""
BLOCK = f"import sys\nsys.modules.update(dict.fromkeys({sorted(HEAVY - {'sqlalchemy'})}))\n"


def python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


@pytest.mark.parametrize(
    "command",
    ["", "serve", "plan", "run", "submit", "change", "keys make", "checkpoints", "db", "demo"],
)
def test_help_imports_nothing_heavy(command: str) -> None:
    code, found = json.loads(python(ASK, *command.split(), "--help").splitlines()[-1])
    assert (code, LATE & set(found)) == (0, set())


def commands(group: TyperGroup, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All of them, with what is typed to get there."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, *path, name)
        else:
            yield (*path, name), command


TREE = typer.main.get_command(app)
assert isinstance(TREE, TyperGroup)
ALL = dict(commands(TREE))
LOCAL = {"plan", "run", "eval", "compare", "presets", "collect", "export", "zoo", "serve", "demo"}
"""First words of commands that need no control plane."""
ASK_NOBODY = {("validate",), ("db", "upgrade"), ("keys", "make-first")}
"""Of those that are about one, what is done on this machine."""


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_example_is_a_command_that_there_is(path: tuple[str, ...]) -> None:
    shown = [line.strip() for line in (ALL[path].epilog or "").splitlines()]
    examples = [line.removeprefix("$ rkd ") for line in shown if line.startswith("$ rkd ")]
    assert examples or path[0] in LOCAL, path
    for example in examples:
        words = shlex.split(re.split(r" [|<>] ", example.replace("\\[", "["))[0])
        assert tuple(words[: len(path)]) == path
        with ALL[path].make_context(" ".join(path), words[len(path) :]) as context:
            assert context.params


@pytest.mark.parametrize("path", [path for path in ALL if path[0] not in LOCAL], ids=" ".join)
def test_every_command_of_a_control_plane_speaks_json(path: tuple[str, ...]) -> None:
    options = {option for one in ALL[path].params for option in one.opts}
    assert "--json" in options
    assert "--url" in options or path in ASK_NOBODY


def test_a_report_is_shown_where_nothing_that_computes_is_installed(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "quickstart"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(report().model_dump_json())
    shown = python(BLOCK + ASK, "report", "quickstart", "--folder", str(tmp_path))
    assert "quickstart · rlad · 256 test prompts" in shown


def test_a_trace_is_made_where_nothing_that_computes_is_installed(tmp_path: Path) -> None:
    two_steps(tmp_path / "runs" / "quickstart")
    shown = python(BLOCK + ASK, "trace", "quickstart", "--folder", str(tmp_path), "-o", "/dev/null")
    assert "critical path · 2 steps in 6.0 s" in shown


def test_a_command_that_is_spelt_wrong_names_the_near_one(rkd: Rkd) -> None:
    outcome = rkd("lst")
    assert outcome.code == 2
    assert "No such command 'lst'. Did you mean 'list'?" in outcome.err


def test_the_first_page_groups_the_commands_and_shows_examples(rkd: Rkd) -> None:
    shown = rkd("--help").out
    places = [shown.index(name) for name in ("On this machine", "Control plane", "Examples")]
    assert places == sorted(places)
    assert "$ rkd submit examples/quickstart.yaml --watch" in shown


def test_serve_names_the_variable_and_the_default_of_each_port(rkd: Rkd) -> None:
    words = rkd("serve", "--help").out.split()
    text = " ".join(word for word in words if word != "│")
    assert "Port of the API. [env var: RKD_PORT] [default: 8420]" in text
    assert "[env var: RKD_HOST] [default: 127.0.0.1]" in text
    assert "dashboard. [env var: RKD_LOCAL_RAY_PORT] [default: 8265]" in text
