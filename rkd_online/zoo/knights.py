"""Knights and knaves, solved in writing: statements as symbols, then one assignment after another.

The puzzles are reasoning-gym's ``knights_knaves`` of depth 2: a statement is about one person, or
joins two such by *and*, *or*, *if ... then* or *if and only if*.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

LETTERS: Final = "ABCD"
SYMBOLS: Final[Mapping[str, str]] = {"and": "&", "or": "|", "->": "->", "<=>": "<->"}
TRUTH: Final[Mapping[bool, str]] = {True: "T", False: "F"}

Operand = tuple[int, bool]
"""A person, and whether that one is said to tell the truth."""


def trace(entry: Mapping[str, Any]) -> str:
    """The solution of an entry of reasoning-gym, step by step, and its answer between tags.

    First the people with their letters, then each one's statement, where a name comes before its
    symbol: behind a name that was read before, the letter is what followed it there. Then
    assignments in the order of ``itertools.product([True, False])``, each until a speaker's word
    (after ``=``) is not what the assignment says of the speaker (``x``), up to the one that fits
    (``ok``).
    """
    metadata = entry["metadata"]
    names = metadata["names"]
    statements = [_parts(statement) for statement in metadata["statements"]]
    said = [f"{LETTERS[i]}: {_symbols(*parts, names)}" for i, parts in enumerate(statements)]
    tried = list(_tries(statements))
    people = roll(list(zip(names, LETTERS, strict=False)))
    return "\n".join([people, *said, *tried, f"<answer>{entry['answer']}</answer>"])


def roll(named: Sequence[tuple[str, str]]) -> str:
    """The people with their letters, as a solution begins."""
    return "#" + "".join(f" {name} {letter}" for name, letter in named)


def _parts(statement: Sequence[Any]) -> tuple[str, tuple[Operand, ...]]:
    """The symbol that joins a statement's operands, empty for a single one, and these."""
    kind, *rest = statement
    if kind in SYMBOLS:
        return SYMBOLS[kind], tuple(_operand(one) for one in rest)
    return "", (_operand(statement),)


def _operand(statement: Sequence[Any]) -> Operand:
    kind, about = statement
    if kind == "not":
        person, truthful = _operand(about)
        return person, not truthful
    return int(about), kind == "telling-truth"


def _symbols(symbol: str, operands: Sequence[Operand], names: Sequence[str]) -> str:
    words = [
        f"{names[person]} {'' if truthful else '!'}{LETTERS[person]}"
        for person, truthful in operands
    ]
    return f" {symbol} ".join(words)


def _tries(statements: Sequence[tuple[str, tuple[Operand, ...]]]) -> Iterator[str]:
    for assignment in itertools.product([True, False], repeat=len(statements)):
        line = " ".join(f"{LETTERS[i]}={TRUTH[truthful]}" for i, truthful in enumerate(assignment))
        for speaker, (symbol, operands) in enumerate(statements):
            values = [assignment[person] is truthful for person, truthful in operands]
            value = _joined(symbol, values)
            word = f" {symbol} ".join(TRUTH[one] for one in values)
            line += f" {LETTERS[speaker]} {word} ={TRUTH[value]}"
            if value is not assignment[speaker]:
                break
        else:
            yield f"{line} ok"
            return
        yield f"{line} x"


def _joined(symbol: str, values: Sequence[bool]) -> bool:
    if symbol == "->":
        return not values[0] or values[1]
    if symbol == "<->":
        return values[0] is values[1]
    return any(values) if symbol == "|" else all(values)
