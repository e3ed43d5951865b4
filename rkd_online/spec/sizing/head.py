"""What log-probs over a vocabulary take beside the layers: chunks of logits, and one gradient.

``models/logits.py`` has the same limits, which a test holds equal: this room knows no torch.
"""

from typing import Final

from rkd_online.spec.sizing.shape import FLOAT32, Shape

CHUNK: Final = 1 << 24
"""Logits that exist at once."""
KEPT: Final = 1 << 25
"""Probabilities that are kept for the backward pass."""


def chunk_bytes(shape: Shape, tokens: float) -> float:
    """Logits and probabilities of one chunk, in float32."""
    return 2 * FLOAT32 * min(CHUNK, tokens * shape.vocabulary)


def kept_chances(shape: Shape, tokens: float, narrow: int) -> float:
    """Probabilities that wait for the backward pass."""
    return narrow * min(KEPT, tokens * shape.vocabulary)


def gradient_bytes(shape: Shape, narrow: int) -> float:
    """The head's gradient before it is added to the others; in a lower precision beside a copy of
    the head and a product of the same size."""
    return shape.embedding * (FLOAT32 + (0 if narrow == FLOAT32 else 2 * narrow))


def row_bytes(shape: Shape, tokens: float) -> float:
    """Hidden states that predict a token, their gradient, and a product of the two."""
    return 3 * FLOAT32 * shape.width * tokens
