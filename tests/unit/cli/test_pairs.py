"""Options of the form NAME=VALUE are read alike, whichever command has them."""

from pathlib import Path

import pytest

from rkd_online.cli.pairs import LABELS
from tests.unit.cli.conftest import Rkd

EXAMPLE = str(Path(__file__).resolve().parents[3] / "examples" / "quickstart.yaml")


def test_a_value_may_have_an_equals_sign_or_nothing_and_the_last_of_a_name_counts() -> None:
    assert LABELS.read(["a=1=2", "b=", "a=3"]) == {"a": "3", "b": ""}
    assert LABELS.read(None) == {}


@pytest.mark.parametrize(
    ("command", "option", "given", "form"),
    [
        (["submit", EXAMPLE], "--label", "team", "NAME=VALUE, as team=research"),
        (["list"], "--label", "=a", "NAME=VALUE, as team=research"),
        (["plan", EXAMPLE], "--config", "policy", "NAME=PATH, as policy=config.json"),
        (["plan", EXAMPLE], "--config", "policy=", "NAME=PATH, as policy=config.json"),
        (
            ["eval", "zoo:chain-sum/student", "chain_sum"],
            "--set",
            "task",
            "FIELD=VALUE, as task.max_",
        ),
    ],
)
def test_another_form_is_refused_in_one_way(
    rkd: Rkd,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    option: str,
    given: str,
    form: str,
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    outcome = rkd(*command, option, given)
    assert outcome.code == 2
    assert f"{option} {given!r} is not of the form {form}" in outcome.err
