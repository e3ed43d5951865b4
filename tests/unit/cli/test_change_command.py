"""rkd change: what it shows, what it sends, and what it leaves alone."""

from typing import Any

import pytest

from tests.unit.cli.answers import JOB, Answers, problem, record
from tests.unit.cli.conftest import Rkd

GET, PATCH = f"GET /v1/jobs/{JOB}", f"PATCH /v1/jobs/{JOB}"
SPEC = {
    "steps": 60,
    "optimizer": {"learning_rate": 1e-4},
    "algorithm": {"type": "rlad", "alpha": 0.5, "clip_high": 0.28},
    "evaluation": {"every": 10},
}


def before(**changes: Any) -> Any:
    return record("running", revision=7, spec=SPEC, **changes)


def test_what_will_be_sent_is_shown_beside_what_is(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {GET: before(), PATCH: before()}
    outcome = rkd(
        *("change", JOB, "--learning-rate", "1e-5", "--alpha", "0.25", "--clip-low", "0.1"),
        *("--clip-high", "0.3", "--steps", "80", "--evaluation-every", "0", "--priority", "5"),
    )
    assert (outcome.code, outcome.err) == (0, "")
    assert [line.split() for line in outcome.out.splitlines()] == [
        ["learning_rate", "0.0001", "->", "1e-05"],
        ["alpha", "0.5", "->", "0.25"],
        ["clip_low", "none", "->", "0.1"],
        ["clip_high", "0.28", "->", "0.3"],
        ["steps", "60", "->", "80"],
        ["evaluation_every", "10", "->", "0"],
        ["priority", "0", "->", "5"],
        [JOB, "is", "changed,", "and", "running"],
    ]
    assert answers.asked[1].headers["If-Match"] == '"7"'
    assert answers.body() == {
        "learning_rate": 1e-5,
        "alpha": 0.25,
        "clip_low": 0.1,
        "clip_high": 0.3,
        "steps": 80,
        "evaluation_every": 0,
        "priority": 5,
    }


def test_labels_that_are_not_named_stay(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {GET: before(labels={"team": "a", "run": "7", "old": ""}), PATCH: before()}
    outcome = rkd("change", JOB, "--label", "run=8", "--label", "new=1", "--no-label", "old")
    assert answers.body() == {"labels": {"team": "a", "run": "8", "new": "1"}}
    assert outcome.out.splitlines()[0].split(maxsplit=1)[1].strip() == (
        "team=a run=7 old= -> team=a run=8 new=1"
    )


def test_limits_of_a_budget_that_are_not_named_stay(rkd: Rkd, answers: Answers) -> None:
    budget = {"wall_seconds": 60.0, "tokens": 5}
    answers.by_path = {GET: before(budget=budget), PATCH: before()}
    outcome = rkd("change", JOB, "--budget-wall", "2m")
    assert answers.body() == {"budget": {"wall_seconds": 120.0, "tokens": 5}}
    assert "wall_seconds 60, tokens 5 -> wall_seconds 120, tokens 5" in outcome.out
    rkd("change", JOB, "--no-budget")
    assert answers.body() == {"budget": None}
    rkd("change", JOB, "--no-budget", "--budget-tokens", "9")
    assert answers.body() == {"budget": {"tokens": 9}}


def test_a_change_beside_another_is_not_sent_again_and_says_to_look(
    rkd: Rkd, answers: Answers
) -> None:
    detail = f'{JOB} is at revision "8", and If-Match is "7": read it again'
    answers.by_path = {GET: before(), PATCH: problem(412, "revision_changed", detail)}
    outcome = rkd("change", JOB, "--steps", "80")
    assert (outcome.code, outcome.err) == (
        1,
        f"error: {JOB} was changed by somebody else meanwhile, so nothing of this is: look again "
        f"with `rkd show {JOB}`\n",
    )
    assert [request.method for request in answers.asked] == ["GET", "PATCH"]


def test_another_refusal_is_told_in_its_own_words(rkd: Rkd, answers: Answers) -> None:
    detail = f"{JOB} is succeeded: only its labels can be changed"
    answers.by_path = {GET: before(), PATCH: problem(409, "job_is_over", detail)}
    outcome = rkd("change", JOB, "--steps", "80")
    assert outcome.err == f"error: {detail} (job_is_over)\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "nothing is changed: --help shows what can be"),
        (["--learning-rate", "nan"], "nan is no number that can be sent"),
        (["--alpha", "inf"], "inf is no number that can be sent"),
        (["--steps", "0"], "Input should be greater than or equal to 1"),
    ],
)
def test_what_changes_nothing_is_not_sent(
    rkd: Rkd, answers: Answers, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    outcome = rkd("change", JOB, *options)
    assert (outcome.code, words in outcome.err, answers.asked) == (2, True, []), outcome.err
