"""The memory of a teacher that scores by a plain forward pass."""

from rkd_online.spec.sizing.activations import layer_bytes
from rkd_online.spec.sizing.head import chunk_bytes
from rkd_online.spec.sizing.parts import Moment, count_words, moment
from rkd_online.spec.sizing.shape import FLOAT32, Shape
from rkd_online.spec.sizing.work import Work

FORWARD_TOKENS = 16_384
"""Tokens of one pass, as ``scoring/teacher.py`` has them; a test holds them equal."""


def scorer_moments(shape: Shape, narrow: int, work: Work, candidates: int) -> tuple[Moment, ...]:
    """While it scores a group; loading takes no more."""
    tokens = min(max(FORWARD_TOKENS, work.longest), work.prompt + work.siblings * work.new)
    copies = narrow * shape.matrices if narrow != FLOAT32 else 0
    weights = FLOAT32 * shape.parameters
    wanted = tokens * candidates * (FLOAT32 + 8)
    return (
        moment(
            "score",
            [
                ("weights", weights, f"4 bytes x {count_words(shape.parameters)}"),
                ("copies", copies, f"{narrow} bytes x {count_words(shape.matrices)}"),
                (
                    "passing",
                    tokens * layer_bytes(shape, narrow),
                    f"a layer of {tokens:,.0f} tokens",
                ),
                ("head chunks", chunk_bytes(shape, tokens), "logits and probabilities, in chunks"),
                ("head rows", FLOAT32 * shape.width * tokens, "hidden states"),
                ("candidates", wanted, f"{candidates} of each token"),
            ],
        ),
    )
