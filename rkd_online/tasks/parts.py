"""Parts of a reward that need no verdict but the verifier's: pure functions of text and length."""

import math
import re
from typing import Final

from rkd_online.spec.task import FormatReward, LengthReward

_WHOLE: Final = {
    "think_answer": ["<think>", "</think>", "<answer>", "</answer>"],
    "think": ["<think>", "</think>"],
}
_TAGS: Final = {form: re.compile(f"({'|'.join(tags)})") for form, tags in _WHOLE.items()}
_FREE: Final = {"think_answer": {1, 3}, "think": {1, 2}}
"""Which stretches between the tags hold text."""


def written_in_tags(text: str, form: FormatReward) -> float:
    """1 where each tag comes once, in order, and no text outside them, else 0.

    Behind ``</think>`` alone the answer may be any text.
    """
    pieces = _TAGS[form.tags].split("<think>" + text if form.opened else text)
    stretches, tags = pieces[0::2], pieces[1::2]
    outside = [one for place, one in enumerate(stretches) if place not in _FREE[form.tags]]
    return float(tags == _WHOLE[form.tags] and not "".join(outside).strip())


def shaped_length(tokens: int, longest: int, *, correct: bool, shape: LengthReward) -> float:
    """Half a cosine from the value of the shortest to that of the longest completion.

    Source: the cosine reward of arXiv 2502.03373, whose value for completions that were cut is a
    part of its own here (``overlong``, ``finished``).
    """
    short, long = shape.wrong_short, shape.wrong_long
    if correct:
        short, long = shape.correct_short, shape.correct_long
    return long + (short - long) * (1 + math.cos(math.pi * tokens / longest)) / 2


def overlong_penalty(tokens: int, longest: int, soft_tokens: int) -> float:
    """0 up to ``longest - soft_tokens``, from there on a straight line to -1 at ``longest``.

    Source: arXiv 2503.14476, eq. 13, with its L_max ``longest`` and its L_cache ``soft_tokens``.
    """
    return min(0.0, (longest - soft_tokens - tokens) / soft_tokens)
