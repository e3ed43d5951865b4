"""What knights-and-knaves puzzles and their solutions are made of: the tokens of that pair."""

from collections.abc import Iterator
from string import Formatter
from typing import Final

from rkd_online.zoo.knights import LETTERS, SYMBOLS, TRUTH


def puzzle_words() -> list[str]:
    """What puzzles and traces are made of, each a token of its own; most begin with their space."""
    from reasoning_gym.logic import knights_knaves as source

    names = [form for name in source.COMMON_NAMES for form in (name, f" {name}")]
    roles = [role for pair in source.KNIGHT_KNAVE_PAIRS for role in pair]
    plain = [role.split()[1] for role in roles]
    pieces = [
        piece.rstrip()
        for template in (*source.TEMPLATES, source.POSTFIX)
        for piece in _literals(f" {template}")
    ]
    forms = [
        *names,
        *(f" {role}" for role in roles),
        *(f" a {name}" for name in plain[::2]),
        *(f" {form}s" for name in plain for form in (name, name.capitalize())),
        *(f"/{name}" for name in plain[1::2]),
        *(piece for piece in pieces if len(piece) > 1),
        *PHRASES,
        *_trace_words(),
    ]
    return list(dict.fromkeys(forms))


PHRASES: Final = (
    "A very special island is inhabited only by", " always tell the truth, and", " always lie.",
    " You meet", " inhabitants:", ", and", " and", " or", "if", " if", " then", " if and only if",
    "it is not the case that", " it is not the case that", " is", '.")',
    ' (Format your answer like: "', " 2", " 3", " 4",
)  # fmt: skip


def _trace_words() -> Iterator[str]:
    for letter in LETTERS:
        yield from (f" {letter}", f"!{letter}", f" !{letter}")
        for truth in TRUTH.values():
            yield from (f"{letter}={truth}", f" {letter}={truth}")
    for truth in TRUTH.values():
        yield from (f" {truth}", f" ={truth}")
    yield from (f" {symbol}" for symbol in SYMBOLS.values())
    yield from (" ok", " x")


def _literals(template: str) -> list[str]:
    """What stands between the fields of a format string."""
    return [literal for literal, *_ in Formatter().parse(template)]
