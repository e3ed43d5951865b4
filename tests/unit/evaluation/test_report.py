import json

import pytest

from rkd_online.evaluation.report import Report, gap_closed, summarize, why_no_gap
from tests.unit.evaluation.sample_report import report, three


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
        (0.98, 0.41, 0.45, "No change that 256 prompts can show: pass@1 0.41 -> 0.45, the "
                           "intervals overlap"),
        (0.98, 0.41, 0.20, "The student got worse: pass@1 0.41 -> 0.20"),
        (None, 0.41, 0.75, "The student improved: pass@1 0.41 -> 0.75; the job has no teacher"),
        (0.45, 0.41, 0.75, "The student improved: pass@1 0.41 -> 0.75; teacher 0.45, not clearly "
                           "ahead"),
    ],
)  # fmt: skip
def test_the_summary_claims_no_more_than_the_intervals_carry(
    teacher: float | None, before: float, after: float, sentence: str
) -> None:
    assert summarize(three(teacher, before, after)) == sentence


def test_a_report_reads_back_as_it_was_written() -> None:
    for one in (report(), report(with_teacher=False)):
        assert Report.model_validate_json(one.model_dump_json()) == one


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


def test_a_job_without_a_teacher_has_nulls_in_its_place() -> None:
    found = json.loads(report(with_teacher=False).model_dump_json())
    assert found["pass_at_1"]["teacher"] is None
    assert found["gap_closed"] is None
    assert found["gap_closed_reason"] == "the job has no teacher"
