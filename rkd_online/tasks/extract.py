"""Where in a completion the answer stands. Each extractor returns None where it finds none."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from rkd_online.spec.task import Extractor

_ANSWER: Final = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_BOX: Final = "\\boxed{"
_MINUS_SIGNS: Final = str.maketrans({"−": "-", "–": "-"})  # noqa: RUF001
_AMOUNT: Final = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+"
_NUMBER: Final = re.compile(rf"(?:(?<![\w.)])[+-])?(?:{_AMOUNT})(?:/\d+)?")
"""A sign directly after a digit, letter or bracket is an operator: ``10-3`` ends in 3."""


def extract(name: Extractor, text: str) -> str | None:
    """The answer in ``text`` as the extractor ``name`` finds it."""
    return _EXTRACTORS[name](text)


def answer_tag(text: str) -> str | None:
    """What the last closed ``<answer>...</answer>`` holds."""
    found = _ANSWER.findall(text)
    if not found:
        return None
    return str(found[-1]).rpartition("<answer>")[2].strip() or None


def boxed(text: str) -> str | None:
    r"""What the last ``\boxed{...}`` holds; braces inside it balance, escaped ones do not count.

    A box that was cut off is no answer, whatever boxes came before it.
    """
    _, box, rest = text.rpartition(_BOX)
    depth, position = 1 if box else 0, 0
    while depth and position < len(rest):
        if rest[position] == "\\":
            position += 1
        else:
            depth += {"{": 1, "}": -1}.get(rest[position], 0)
        position += 1
    return rest[: position - 1].strip() or None if box and not depth else None


def last_number(text: str) -> str | None:
    """The last number with its sign, decimals, exponent and fraction; no thousands separators."""
    found = _NUMBER.findall(text.translate(_MINUS_SIGNS))
    return str(found[-1]).replace(",", "").removeprefix("+") if found else None


def last_line(text: str) -> str | None:
    """The last line that is not blank."""
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else None


def whole_text(text: str) -> str | None:
    """The whole completion."""
    return text.strip() or None


_EXTRACTORS: Final[Mapping[Extractor, Callable[[str], str | None]]] = {
    "answer_tag": answer_tag,
    "boxed": boxed,
    "last_number": last_number,
    "last_line": last_line,
    "whole_text": whole_text,
}
