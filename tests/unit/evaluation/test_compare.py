"""Two models on the same prompts, and what makes a comparison impossible."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from rkd_online.errors import RecordError
from rkd_online.evaluation.compare import compare, paired_gain
from rkd_online.evaluation.comparison import Comparison
from rkd_online.evaluation.comparison_table import render_comparison
from rkd_online.evaluation.record import Evaluation, read_evaluation
from tests.unit.evaluation.evaluations import evaluation

BEFORE = evaluation("before", [0, 1, 2, 2], tokens=20)
AFTER = evaluation("after", [1, 2, 4, 4], tokens=16)


def test_differences_are_of_the_second_less_the_first_by_prompt() -> None:
    found = compare(BEFORE, AFTER).decodings["temperature_1"]
    one = found.pass_at_k[1]
    assert (one.first, one.second, one.difference.value) == (5 / 16, 11 / 16, 6 / 16)
    # Of 4 answers 0, 1 and 2 right: 0, 1/2 and 5/6 of the pairs hold a right one.
    two = found.pass_at_k[2]
    assert two.first == pytest.approx((0 + 1 / 2 + 5 / 6 + 5 / 6) / 4)
    assert two.difference.value == pytest.approx((1 / 2 + 1 / 3 + 1 / 6 + 1 / 6) / 4)
    assert (found.tokens.first, found.tokens.second) == (20.0, 16.0)
    assert (found.tokens.difference.low, found.tokens.difference.high) == (-4.0, -4.0)
    assert found.distinct_correct[4].difference.value == 6 / 4
    assert found.truncated_share.difference.value == found.answered_share.difference.value == 0


def test_the_interval_is_of_the_differences_not_of_the_models() -> None:
    # Models of very different prompts that differ by one answer of four everywhere.
    first, second = evaluation("a", [0, 3, 0, 3]), evaluation("b", [1, 4, 1, 4])
    found = paired_gain(first, second, "temperature_1")
    assert (found.low, found.value, found.high, found.n) == (0.25, 0.25, 0.25, 4)


def test_difficulty_groups_are_compared_alone() -> None:
    found = compare(BEFORE, AFTER).decodings["temperature_1"].by_difficulty
    assert {name: one.difference.value for name, one in found.items()} == {
        "easy": 3 / 8,
        "hard": 3 / 8,
    }
    assert {name: one.difference.n for name, one in found.items()} == {"easy": 2, "hard": 2}


def test_tasks_are_compared_alone() -> None:
    first, second = (
        one.model_copy(update={"tasks": ("short", "short", "long", "long")})
        for one in (BEFORE, AFTER)
    )
    found = compare(first, second)
    by_task = found.decodings["temperature_1"].by_task
    assert {name: one.difference.value for name, one in by_task.items()} == {
        "long": 2 / 4,
        "short": 1 / 4,
    }
    assert "pass@1, short" in rendered(found)
    assert "pass@1, sum" not in rendered(compare(BEFORE, AFTER))


def test_runs_with_other_numbers_of_samples_are_compared_at_every_k_of_both() -> None:
    found = compare(BEFORE, evaluation("other", [8, 8, 8, 8], samples=8))
    assert list(found.decodings["temperature_1"].pass_at_k) == [1, 2, 4]
    assert found.decodings["temperature_1"].pass_at_k[1].difference.value == 11 / 16


def test_decodings_in_common_are_compared() -> None:
    first = evaluation("a", [0, 1], decodings=["temperature_1", "greedy"])
    second = evaluation("b", [0, 1], decodings=["papers", "greedy"])
    assert list(compare(first, second).decodings) == ["greedy"]


def test_without_a_common_decoding_both_are_named() -> None:
    first = evaluation("a", [0, 1], decodings=["temperature_1"])
    second = evaluation("b", [0, 1], decodings=["papers", "greedy"])
    with pytest.raises(RecordError, match="a was asked by temperature_1 and b by papers, greedy"):
        compare(first, second)


def test_a_prompt_that_one_of_them_lacks_is_named() -> None:
    more = evaluation("more", [0, 1, 2, 2, 3])
    message = "before was asked 4 prompts and more 5, not the same: before has no test/4-0a"
    with pytest.raises(RecordError, match=message):
        compare(BEFORE, more)
    other = evaluation("other", [0, 1], prompts=["test/0-0a", "test/1-ff"])
    with pytest.raises(RecordError, match=r"b has no test/1-0a, which a has \(one of 1\)"):
        paired_gain(evaluation("a", [0, 1]), other.model_copy(update={"model": "b"}), "greedy")


def test_the_same_prompts_in_another_order_are_refused() -> None:
    turned = evaluation("turned", [1, 0], prompts=["test/1-0a", "test/0-0a"])
    with pytest.raises(RecordError, match="a and turned were asked in another order"):
        compare(evaluation("a", [0, 1]), turned)


def test_what_else_was_not_the_same_is_said_but_for_the_seed() -> None:
    other = evaluation("b", [0, 1], max_new_tokens=128, seed=7)
    found = compare(evaluation("a", [0, 1]), other)
    assert found.asked_otherwise == {"max_new_tokens": ("64", "128")}
    assert "asked otherwise: max_new_tokens 64 and 128" in rendered(found)


def test_the_table_has_both_values_and_the_signed_difference() -> None:
    lines = [line.split() for line in rendered(compare(BEFORE, AFTER)).splitlines()]
    assert ["tokens", "20.0", "16.0", "-4.0", "-4.0", "to", "-4.0"] in lines
    (row,) = [line for line in lines if line[:1] == ["pass@1"]]
    assert row[1:4] == ["0.312", "0.688", "+0.375"]
    assert "temperature 1, 4 prompts, differences by prompt" in rendered(compare(BEFORE, AFTER))


def test_an_evaluation_reads_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(BEFORE.model_dump_json())
    assert read_evaluation(tmp_path / "one.json") == BEFORE


def test_an_evaluation_of_another_version_says_so(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"pass_at_1": {"value": 0.5}}))
    with pytest.raises(RecordError, match=r"old\.json is no evaluation of this version of rkd \("):
        read_evaluation(path)
    with pytest.raises(RecordError, match=r"cannot read the evaluation .*gone\.json: No such"):
        read_evaluation(tmp_path / "gone.json")


def test_counts_of_another_number_of_prompts_are_refused() -> None:
    data = json.loads(BEFORE.model_dump_json())
    data["decodings"]["temperature_1"]["tally"]["truncated"].append(0)
    with pytest.raises(ValueError, match="temperature_1 has 5 entries of truncated for 4 prompts"):
        Evaluation.model_validate(data)


def rendered(comparison: Comparison) -> str:
    """As a terminal of 80 columns shows it."""
    out = io.StringIO()
    Console(file=out, width=80, force_terminal=False).print(render_comparison(comparison))
    return out.getvalue()
