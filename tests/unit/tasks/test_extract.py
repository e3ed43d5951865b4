"""Where each extractor finds the answer, and where it finds none."""

import pytest

from rkd_online.spec.task import Extractor
from rkd_online.tasks.extract import extract


@pytest.mark.parametrize(
    ("name", "text", "answer"),
    [
        ("answer_tag", "3+5=8\n<answer>8</answer>", "8"),
        ("answer_tag", "<answer>7</answer> no, <answer>\n 8 \n</answer> done", "8"),
        ("answer_tag", "<answer>7 <answer>8</answer>", "8"),
        ("answer_tag", "<answer>8", None),
        ("answer_tag", "<answer> </answer>", None),
        ("answer_tag", "8", None),
        ("boxed", r"so \boxed{8}.", "8"),
        ("boxed", r"\boxed{7} and then \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        ("boxed", r"\boxed{x_{1_{2}}} ", "x_{1_{2}}"),
        ("boxed", r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        ("boxed", r"\boxed{\left\{ 1 \right.}", r"\left\{ 1 \right."),
        ("boxed", r"\boxed{\boxed{3}}", "3"),
        ("boxed", r"\boxed{7} and then \boxed{8", None),
        ("boxed", r"\boxed{8\}", None),
        ("boxed", r"\boxed{}", None),
        ("boxed", "8}", None),
        ("last_number", "first 7, then 8.", "8"),
        ("last_number", "it costs $1,234.50", "1234.50"),
        ("last_number", "12,345,678 people", "12345678"),
        ("last_number", "one of 1,2,3", "3"),
        ("last_number", "a date, 1,2345", "2345"),
        ("last_number", "x = -3", "-3"),
        ("last_number", "x = +3", "3"),
        ("last_number", "x = \N{MINUS SIGN}3", "-3"),
        ("last_number", "10-3", "3"),
        ("last_number", "(2)-3", "3"),
        ("last_number", "the share is 3/4", "3/4"),
        ("last_number", "the share is -1/2.", "-1/2"),
        ("last_number", "about .5", ".5"),
        ("last_number", "6.02e23", "6.02e23"),
        ("last_number", "1.5E-3 m", "1.5E-3"),
        ("last_number", "none at all", None),
        ("last_line", "a\n\n  b c \n\n", "b c"),
        ("last_line", " \n ", None),
        ("whole_text", "  a\nb ", "a\nb"),
        ("whole_text", "", None),
    ],
)
def test_the_answer_is_found(name: Extractor, text: str, answer: str | None) -> None:
    assert extract(name, text) == answer
