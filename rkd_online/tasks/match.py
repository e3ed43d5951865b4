"""How an extracted answer is compared with a reference answer."""

import logging
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from rkd_online.spec.task import Match

Matcher = Callable[[str, str], bool]

LONGEST_NUMBER: Final = 64
"""Signs of the longest text that is read as a number."""

_ENVIRONMENT: Final = re.compile(r"(?<!\\)\$|\\boxed|\\\(|\\\[")

# It warns that its own time limits are off.
logging.getLogger("math_verify").setLevel(logging.ERROR)


def exact(reference: str, answer: str) -> bool:
    """Equal texts, spaces around them aside."""
    return reference.strip() == answer.strip()


def numeric(reference: str, answer: str) -> bool:
    """Equal numbers however they are written: ``1,000.50`` is ``1000.5``, ``0.5`` is ``1/2``."""
    expected, found = number(reference), number(answer)
    return expected is not None and expected == found


def regex(reference: str, answer: str) -> bool:
    """The reference is a regular expression for the whole answer. On some answers one takes
    forever."""
    return re.fullmatch(reference, answer) is not None


def mathematical(reference: str, answer: str) -> bool:
    r"""Equal as math-verify sees it: ``\frac{1}{2}`` is ``0.5``, ``x + 1`` is ``1 + x``.

    Each of the two is LaTeX or a plain expression and nothing else, as ``boxed``, ``answer_tag`` or
    ``last_line`` give it. Some answers take forever. Raises ValueError for a reference in which
    math-verify finds nothing.
    """
    from math_verify import verify

    expected = _parsed_reference(reference)
    # Its own time limits count in whole seconds and call an answer wrong that it gave up on.
    return bool(verify(expected, _parsed(answer), timeout_seconds=None))


@lru_cache(maxsize=64)
def _parsed_reference(text: str) -> list[Any]:
    found = _parsed(text)
    if not found:
        raise ValueError(f"math-verify finds no mathematics in the reference {text!r}")
    return found


def _parsed(text: str) -> list[Any]:
    from math_verify import parse

    # Outside an environment only plain numbers are looked for, and 2 would be found in \frac12.
    marked = text if _ENVIRONMENT.search(text) else f"${text}$"
    return list(parse(marked, parsing_timeout=None))


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


MATCHERS: Final[dict[Match, Matcher]] = {
    "exact": exact,
    "numeric": numeric,
    "regex": regex,
    "math": mathematical,
}


def hangs(match: Match) -> bool:
    """Whether some answers take a comparison more time or memory than there is."""
    return match in ("regex", "math")


def reference_problem(match: Match, reference: str) -> str | None:
    """Why no answer could ever match a reference; None where one can, or where it takes long to
    tell."""
    if match == "numeric" and number(reference) is None:
        return f"the answer {reference!r} is no number: use task.match 'exact'"
    if match == "regex":
        try:
            re.compile(reference)
        except (re.error, OverflowError, RecursionError) as error:
            return f"the answer {reference!r} is no regular expression: {error}"
    return None
