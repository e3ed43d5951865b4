"""When an answer equals a reference."""

import pytest

from rkd_online.tasks.match import exact, mathematical, numeric, reference_problem, regex


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("1000.5", "1,000.50"),
        ("1/2", "0.5"),
        ("-3", " -3.0 "),
        ("2/4", "1/2"),
        ("1e3", "1000"),
        ("0.1", "1/10"),
    ],
)
def test_numbers_are_equal_however_they_are_written(reference: str, answer: str) -> None:
    assert numeric(reference, answer)


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("1/3", "0.333333"),
        ("3", "three"),
        ("3", "1/0"),
        ("3", "nan"),
        ("3", "inf"),
        ("3", ""),
        ("3", "3/"),
        ("1e99", "1e999999999"),
        ("3", "3" * 1000),
    ],
)
def test_other_numbers_and_other_texts_are_not_equal(reference: str, answer: str) -> None:
    assert not numeric(reference, answer)


def test_texts_are_equal_but_for_the_spaces_around_them() -> None:
    assert exact("a b", " a b\n")
    assert not exact("a b", "a  b")
    assert not exact("8", "8.0")


@pytest.mark.parametrize(
    ("reference", "answer", "verdict"),
    [
        (r"\d+ km", "12 km", True),
        (r"\d+ km", "about 12 km", False),
        (r"\d+ km", "12 km/h", False),
        ("yes|no", "no", True),
        ("(?i)yes", "YES", True),
        ("a.b", "a\nb", False),
    ],
)
def test_a_regular_expression_matches_the_whole_answer(
    reference: str, answer: str, verdict: bool
) -> None:
    assert regex(reference, answer) is verdict


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        (r"\frac{1}{2}", "0.5"),
        (r"\frac12", "1/2"),
        (r"$\frac{1}{2}$", r"\boxed{0.5}"),
        ("x+1", "1 + x"),
        (r"2\sqrt{3}", r"\sqrt{12}"),
        ("(1,2)", "(1, 2)"),
        (r"\{1,2\}", r"\{2,1\}"),
        ("x=5", "5"),
        ("12", r"\text{12}"),
        ("1,000", "1000"),
        (r"5\%", "0.05"),
        ("10", r"\$10"),
        (r"90^\circ", "90"),
    ],
)
def test_mathematics_is_equal_however_it_is_written(reference: str, answer: str) -> None:
    assert mathematical(reference, answer)


@pytest.mark.parametrize(
    ("reference", "answer"),
    [("2", r"\frac{1}{2}"), ("(1,2)", "(2,1)"), ("3", "three"), ("3", ""), ("x+1", "x-1")],
)
def test_other_mathematics_is_not_equal(reference: str, answer: str) -> None:
    assert not mathematical(reference, answer)


def test_a_reference_without_mathematics_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="no mathematics in the reference ''"):
        mathematical("", "3")


def test_a_reference_that_nothing_can_match_is_told_beforehand() -> None:
    assert reference_problem("exact", "Ann") is None
    assert reference_problem("numeric", "1/2") is None
    assert reference_problem("numeric", "Ann") == (
        "the answer 'Ann' is no number: use task.match 'exact'"
    )
    assert reference_problem("regex", "(a|b)") is None
    assert reference_problem("regex", "(a|b") == (
        "the answer '(a|b' is no regular expression: missing ), unterminated subpattern at "
        "position 0"
    )
    assert reference_problem("regex", "a{99999999999999}") is not None
