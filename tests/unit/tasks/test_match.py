"""When an answer equals a reference."""

import pytest

from rkd_online.tasks.match import exact, numeric


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
