"""metrics, rollouts and logs: what they ask for and show."""

import json
from typing import Any

import httpx
import pytest
from rich.console import Console

from rkd_online.cli.sparkline import sparkline
from tests.unit.cli.answers import JOB, Answers
from tests.unit.cli.conftest import Rkd

HERE = f"/v1/jobs/{JOB}"


def series(*values: float) -> Any:
    steps = list(range(1, len(values) + 1))
    return {"exact": True, "step": steps, "last_step": steps, "mean": values, "min": values} | {
        "max": values
    }


def metric(name: str, values: Any = None) -> dict[str, Any]:
    return {"name": name, "unit": "nats", "description": f"What {name} says.", "series": values}


def metrics_of(known: dict[str, Any]) -> Any:
    """A service that has these metrics, and is asked for 20 at most."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = request.url.params.get_list("names")
        assert len(asked) <= 20
        data = [metric(name, known[name] if asked else None) for name in asked or known]
        return httpx.Response(200, json={"data": data})

    return answer


@pytest.fixture
def reported(answers: Answers) -> Answers:
    known = {f"policy/m{number:02}": series(1.0, 2.0) for number in range(30)}
    known["reward/mean"] = series(0.25, 0.5, 0.75, 0.625)
    known["reward/std"] = series()
    answers.by_path = {f"GET {HERE}/metrics": metrics_of(known)}
    return answers


def test_all_metrics_are_shown_where_none_is_named(rkd: Rkd, reported: Answers) -> None:
    head, *rows = rkd("metrics", JOB).out.splitlines()
    assert head.split() == ["metric", "unit", "steps", "first", "last", "least", "largest"]
    assert len(rows) == 32
    assert rows[30].split() == ["reward/mean", "nats", "1-4", "0.25", "0.625", "0.25", "0.75"]
    assert rows[31].split() == ["reward/std", "nats", "none"]
    assert [len(one.url.params.get_list("names")) for one in reported.asked] == [0, 20, 12]


def test_metrics_are_named_one_by_one_or_by_what_they_lie_below(
    rkd: Rkd, reported: Answers
) -> None:
    out = rkd("metrics", JOB, "reward/", "policy/m07", "reward/mean").out.splitlines()[1:]
    assert [row.split()[0] for row in out] == ["reward/mean", "reward/std", "policy/m07"]
    rkd("metrics", JOB, "reward/mean", "--from", "2", "--to", "9", "--points", "4", "--json")
    assert dict(reported.asked[-1].url.params) == {
        "names": "reward/mean",
        "from_step": "2",
        "to_step": "9",
        "max_points": "4",
    }


def test_metrics_are_described(rkd: Rkd, reported: Answers) -> None:
    row = rkd("metrics", JOB, "reward/mean", "--describe").out.splitlines()[1]
    assert row == "reward/mean  nats  What reward/mean says."


def test_metrics_in_json_are_one_document(rkd: Rkd, reported: Answers) -> None:
    found = json.loads(rkd("metrics", JOB, "--json").out)["data"]
    assert len(found) == 32
    assert found[30]["series"]["mean"] == [0.25, 0.5, 0.75, 0.625]


def test_a_terminal_also_gets_the_course_of_each_metric(
    rkd: Rkd, reported: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Console, "is_terminal", True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    row = rkd("metrics", JOB, "reward/mean").out.splitlines()[1]
    assert row.split()[-1] == "▁▅█▆"
    monkeypatch.setenv("COLUMNS", "50")
    narrow = rkd("metrics", JOB, "reward/mean").out
    assert "reward/mean" in narrow and "█" not in narrow


def test_a_sparkline_goes_from_the_least_to_the_largest_value() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([5, 5, 5], 8) == "▁▁▁"
    assert sparkline([], 8) == ""
    # Means of 0 and 1, of 2 and 3, of 4 and 5: a line again.
    assert sparkline([0, 1, 2, 3, 4, 5], width=3) == "▁▅█"
    assert len(sparkline(list(range(1000)), 30)) == 30


ROLLOUT: dict[str, Any] = {
    "id": "24-191-0",
    "step": 24,
    "attempt": 1,
    "group": 191,
    "index": 0,
    "prompt_id": "train-191",
    "task": "chain_sum",
    "difficulty": "2 terms",
    "answer": "12",
    "prompt": "5+7=",
    "completion": "12\n" + "x" * 70,
    "prompt_tokens": 4,
    "completion_tokens": 3,
    "reward": 1.0,
    "reward_parts": {"verifier": 1.0},
    "correctness": 1.0,
    "correct": True,
    "advantage": 0.75,
    "finish_reason": "stop",
    "failure": None,
}
UNJUDGED = ROLLOUT | {
    "id": "24-191-1",
    "reward": None,
    "correct": None,
    "advantage": None,
    "completion": None,
    "failure": "timeout: 5 s",
}
TOKENS = ROLLOUT | {
    "prompt_ids": [9, 2, 11, 3],
    "completion_ids": [5, 6, 1],
    "sampler_logprobs": [-0.5, -0.25, 0.0],
    "old_logprobs": None,
    "teacher_logprobs": [-0.75, -0.75, 0.0],
    "weight_versions": [
        {"version": 22, "start": 0, "end": 1},
        {"version": 23, "start": 1, "end": 3},
    ],
}


def test_rollouts_are_listed_by_what_is_asked_for(rkd: Rkd, answers: Answers) -> None:
    listed = {"data": [ROLLOUT, UNJUDGED], "has_more": True, "next": "24-191-1"}
    answers.by_path = {f"GET {HERE}/rollouts": listed}
    options = ["--step", "24", "--group", "191", "--min-reward", "0.5", "--max-reward", "1"]
    outcome = rkd("rollouts", JOB, *options, "--wrong", "--task", "chain_sum", "--limit", "2")
    assert dict(answers.asked[0].url.params) == {
        "step": "24",
        "group": "191",
        "min_reward": "0.5",
        "max_reward": "1.0",
        "correct": "false",
        "task": "chain_sum",
        "limit": "2",
    }
    _, first, second = outcome.out.splitlines()
    assert first.split()[:7] == ["24-191-0", "chain_sum", "yes", "1.000", "0.750", "3", "stop"]
    assert first.endswith(f"12 {'x' * 57}…")
    assert second.split() == [
        *("24-191-1", "chain_sum", "failed", "3", "stop", "timeout:", "5", "s")
    ]
    assert outcome.err == "there are more: --limit shows up to 100, --all every one\n"


def test_all_rollouts_are_asked_for_although_a_page_is_empty(rkd: Rkd, answers: Answers) -> None:
    empty = {"data": [], "has_more": True, "next": "20-1-1"}
    answers.by_path = {
        f"GET {HERE}/rollouts": [empty, {"data": [ROLLOUT], "has_more": False, "next": None}]
    }
    found = json.loads(rkd("rollouts", JOB, "--correct", "--all", "--json").out)
    assert [one["id"] for one in found["data"]] == ["24-191-0"]
    assert answers.asked[1].url.params["after"] == "20-1-1"


def test_one_rollout_is_shown_whole(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {f"GET {HERE}/rollouts/24-191-0": TOKENS}
    out = rkd("rollouts", JOB, "24-191-0").out
    assert out.endswith(f"\nprompt\n5+7=\n\ncompletion\n12\n{'x' * 70}\n")
    rows = dict(line.split("  ", 1) for line in out.partition("\n\n")[0].splitlines())
    shown = {name: value.strip() for name, value in rows.items()}
    assert shown["problem"] == "train-191, chain_sum, 2 terms"
    assert shown["weights"] == "22 (1), 23 (2)"
    assert (shown["sampler log-prob"], shown["teacher log-prob"]) == (
        *("-0.250 a token", "-0.500 a token"),
    )
    assert "old log-prob" not in shown
    assert json.loads(rkd("rollouts", JOB, "24-191-0", "--json").out)["prompt_ids"] == [9, 2, 11, 3]


LOG = {"attempt": 2, "role": "learner", "worker": "learner:1", "stream": "out", "text": "a\n[b]\n"}


def test_a_log_is_printed_as_it_was_written(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {f"GET {HERE}/logs": LOG}
    options = ["--role", "learner", "--index", "1", "--stream", "out", "--attempt", "2"]
    assert rkd("logs", JOB, *options, "--tail", "2").out == "a\n[b]\n"
    assert dict(answers.asked[0].url.params) == {
        "role": "learner",
        "index": "1",
        "stream": "out",
        "attempt": "2",
        "tail": "2",
    }
    assert json.loads(rkd("logs", JOB, "--json").out) == LOG
    assert dict(answers.asked[1].url.params)["role"] == "driver"


def test_an_empty_log_is_said_to_be_empty(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {f"GET {HERE}/logs": LOG | {"text": ""}}
    outcome = rkd("logs", JOB)
    assert (outcome.out, outcome.err) == ("", "attempt 2: learner:1 has written nothing yet\n")
