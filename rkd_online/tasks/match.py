"""How an extracted answer is compared with a reference answer."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final, Literal

Matcher = Callable[[str, str], bool]

LONGEST_NUMBER: Final = 64
"""Signs of the longest text that is read as a number."""


def matcher(name: Literal["exact", "numeric"]) -> Matcher:
    """The comparison of that name, reference first."""
    return exact if name == "exact" else numeric


def exact(reference: str, answer: str) -> bool:
    """Equal texts, spaces around them aside."""
    return reference.strip() == answer.strip()


def numeric(reference: str, answer: str) -> bool:
    """Equal numbers however they are written: ``1,000.50`` is ``1000.5``, ``0.5`` is ``1/2``."""
    expected, found = number(reference), number(answer)
    return expected is not None and expected == found


def number(text: str) -> Fraction | None:
    """The exact value of a decimal number or a fraction of two; None for anything else."""
    plain = text.strip().replace(",", "")
    if len(plain) > LONGEST_NUMBER:
        return None
    above, slash, below = plain.partition("/")
    top, bottom = _decimal(above), _decimal(below) if slash else Fraction(1)
    return top / bottom if top is not None and bottom else None


def _decimal(text: str) -> Fraction | None:
    """A policy can write any exponent: beyond 10^99 it would fill memory with digits."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return Fraction(value) if value.is_finite() and abs(value.adjusted()) < 100 else None
