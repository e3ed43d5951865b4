import json

import pytest

from rkd_online.errors import RecordError
from rkd_online.evaluation.report import (
    Warned,
    gap_closed,
    parse_report,
    summarize,
    teacher_behind,
    why_no_gap,
)
from tests.unit.evaluation.sample_report import gains, report, three


def test_the_gap_closed_is_the_part_of_the_teachers_lead_that_was_made_up() -> None:
    assert gap_closed(three(0.98, 0.41, 0.75)) == pytest.approx(0.34 / 0.57)
    assert why_no_gap(three(0.98, 0.41, 0.75)) is None


@pytest.mark.parametrize(
    ("teacher", "reason"),
    [
        (None, "the job has no teacher"),
        (0.41, "the teacher (0.410) is not ahead of the student before training (0.410)"),
    ],
)
def test_without_a_lead_there_is_no_gap_and_a_reason(teacher: float | None, reason: str) -> None:
    assert gap_closed(three(teacher, 0.41, 0.75)) is None
    assert why_no_gap(three(teacher, 0.41, 0.75)) == reason


@pytest.mark.parametrize(
    ("teacher", "before", "after", "sentence"),
    [
        (0.98, 0.41, 0.75, "The student closed 60% of the gap: pass@1 0.41 -> 0.75, teacher 0.98"),
        (0.98, 0.41, 0.44, "No change that 256 prompts can show: pass@1 0.41 -> 0.44, a difference "
                           "of -0.00 to +0.06"),
        (0.98, 0.41, 0.20, "The student got worse: pass@1 0.41 -> 0.20"),
        (None, 0.41, 0.75, "The student improved: pass@1 0.41 -> 0.75; the job has no teacher"),
        (0.43, 0.41, 0.75, "The student improved: pass@1 0.41 -> 0.75; teacher 0.43, not clearly "
                           "ahead"),
        (0.40, 0.41, 0.75, "The student improved: pass@1 0.41 -> 0.75; the teacher (0.400) is not "
                           "ahead of the student before training (0.410)"),
    ],
)  # fmt: skip
def test_the_summary_claims_no_more_than_the_paired_intervals_carry(
    teacher: float | None, before: float, after: float, sentence: str
) -> None:
    lead = None if teacher is None else teacher - before
    paired = gains(after - before, lead, spread=0.0301)
    assert summarize(three(teacher, before, after), paired) == sentence


def test_few_prompts_show_nothing_whatever_their_interval() -> None:
    paired = gains(0.25, spread=0.0, n=5)
    assert summarize(three(None, 0.5, 0.75), paired) == (
        "Nothing that so few prompts can show (5): pass@1 0.50 -> 0.75"
    )
    paired = gains(0.25, spread=0.0, n=6)
    assert summarize(three(None, 0.5, 0.75), paired).startswith("The student improved")


@pytest.mark.parametrize(("lead", "n"), [(0.2, 256), (-0.02, 256), (-0.2, 5), (None, 256)])
def test_a_teacher_that_is_not_shown_to_be_worse_is_no_warning(lead: float | None, n: int) -> None:
    teacher = None if lead is None else 0.4 + lead
    assert teacher_behind(three(teacher, 0.4, 0.4), gains(0.0, lead, n=n)) is None


def test_a_teacher_that_the_prompts_show_to_be_worse_than_the_student_is_a_warning() -> None:
    assert teacher_behind(three(0.2, 0.4, 0.4), gains(0.0, -0.2, n=6)) == (
        "the teacher (0.200) is not ahead of the student before training (0.400), by prompt 0.17 "
        "to 0.23 behind: what it says of a token draws the student towards worse answers; take "
        "another teacher.model, or an algorithm without one, such as grpo"
    )


def test_a_report_reads_back_as_it_was_written() -> None:
    warned = Warned(step=2, name="truncated", message="half of it is cut")
    told = report(early_stop="after step 2 of 60: no better", warnings=(warned,))
    for one in (report(), report(with_teacher=False), told):
        assert parse_report(one.model_dump_json().encode(), "report.json") == one
        assert parse_report(json.loads(one.model_dump_json()), "report.json") == one


def test_report_json_has_the_documented_keys() -> None:
    found = json.loads(report().model_dump_json())
    assert found["pass_at_1"]["student_after"] == {
        "value": 0.65,
        "low": 0.62,
        "high": 0.68,
        "n": 256,
    }
    rows = {"teacher", "student_before", "student_after"}
    for key in ("pass_at_1", "tokens_per_answer", "answers_per_second"):
        assert set(found[key]) == rows
    assert (found["gap_closed"], found["stage_seconds"]["generate"]) == (0.5, 3.0)
    assert set(found["paired"]) == {
        "after_less_before",
        "teacher_less_before",
        "teacher_less_after",
    }
    before = found["decodings"]["temperature_1"]["student_before"]
    assert before["pass_at_k"]["2"]["value"] == pytest.approx(0.64)
    assert before["tokens"]["p90"] == 31


def test_a_job_without_a_teacher_has_nulls_in_its_place() -> None:
    found = json.loads(report(with_teacher=False).model_dump_json())
    assert found["pass_at_1"]["teacher"] is None
    assert found["decodings"]["greedy"]["teacher"] is None
    assert found["paired"]["teacher_less_after"] is None
    assert found["gap_closed"] is None
    assert found["gap_closed_reason"] == "the job has no teacher"


def test_a_report_of_another_version_says_so_and_names_what_is_missing() -> None:
    old = json.loads(report().model_dump_json())
    del old["decodings"]
    with pytest.raises(RecordError, match=r"^report of job-1 cannot be shown: .*decodings: Field"):
        parse_report(old, "report of job-1")
    with pytest.raises(RecordError, match=r"^r.json cannot be shown: .*\(the file: Invalid JSON"):
        parse_report(b"{", "r.json")


def test_the_headline_is_one_of_the_decodings() -> None:
    assert report().measured == report().decodings["temperature_1"]
