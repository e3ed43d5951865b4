"""The memory of a vLLM engine on each of the GPUs that it is split over."""

from dataclasses import dataclass
from typing import Final

from rkd_online.spec.sizing.parts import Moment, count_words, moment
from rkd_online.spec.sizing.shape import FLOAT32, Dense, Shape
from rkd_online.spec.sizing.work import Work

STEP_TOKENS: Final = 8192
"""Prompt tokens that one engine step takes in, as ``inference/build.py`` has them."""
URGENT_SEQUENCES: Final = 4
LOGITS: Final = 3
"""Tables of the sampler in float32: logits, those it samples from, log-probs."""


@dataclass(frozen=True, slots=True)
class EngineCase:
    """An engine of ``gpus``; ``scores`` where it gives log-probs of whole sequences, ``swaps``
    where new weights are loaded into it, ``cpu`` where vLLM packs the head a second time."""

    shape: Shape
    gpus: int
    narrow: int
    kv_bytes: int
    sequences: int
    work: Work
    scores: bool = False
    swaps: bool = False
    cpu: bool = False


def weights_on(shape: Shape, gpus: int) -> float:
    """Parameters on each GPU: matrices, embedding and head are split, key and value heads of which
    there are fewer than GPUs are not, nor is what is small."""
    split = shape.embedding * (1 if shape.tied else 2) + shape.matrices
    small = shape.parameters - split
    keys = 2 * shape.width * shape.keys * shape.layers
    held = max(1.0, shape.kv_heads / gpus) / shape.kv_heads * keys
    return small + (split - keys) / gpus + held


def engine_moments(case: EngineCase) -> tuple[Moment, ...]:
    """While it samples or scores, and while weights are swapped."""
    shape, held = case.shape, weights_on(case.shape, case.gpus)
    split = f" / {case.gpus} GPUs" if case.gpus > 1 else ""
    words = f"{case.narrow} bytes x {count_words(shape.parameters)}{split}"
    base = [
        ("weights", case.narrow * held, words),
        ("KV cache", case.kv_bytes, _cache_words(case)),
        ("packed head", case.narrow * shape.embedding * case.cpu, "a copy for products on a CPU"),
    ]
    run = moment("score" if case.scores else "sample", [*base, *_passing(case)])
    if not case.swaps:
        return (run,)
    arriving = FLOAT32 * max(shape.layer, shape.embedding)
    return run, moment("swap", [*base, ("arriving", arriving, "a layer or the embedding, 4 bytes")])


def kv_bytes_per_token(shape: Shape, narrow: int, gpus: int) -> int:
    """Key-value cache of one token on each GPU."""
    return narrow * shape.kv_values(gpus)


def full_sequences(case: EngineCase) -> float:
    """How many sequences of full length the cache holds."""
    each = kv_bytes_per_token(case.shape, case.narrow, case.gpus) * case.work.longest
    return case.kv_bytes / each


def _cache_words(case: EngineCase) -> str:
    each = kv_bytes_per_token(case.shape, case.narrow, case.gpus)
    return (
        f"{case.kv_bytes // each:,} tokens of {each:,} bytes: {full_sequences(case):,.1f} "
        f"sequences of {case.work.longest:,.0f}"
    )


def _passing(case: EngineCase) -> list[tuple[str, float, str]]:
    shape, tokens = case.shape, max(STEP_TOKENS, case.work.longest)
    one = shape.feed_forward
    inner = one.inner if isinstance(one, Dense) else one.used * one.inner
    values = 2 * shape.width + (shape.queries + 2 * shape.keys + 3 * inner) / case.gpus
    rows = min(case.sequences, case.work.sequences) + URGENT_SEQUENCES
    logits: float = LOGITS * FLOAT32 * rows * shape.vocabulary
    if case.scores:
        logits = case.work.longest * shape.vocabulary * (case.narrow + FLOAT32)
    what = "of one sequence" if case.scores else f"of {rows} sequences"
    return [
        ("passing", case.narrow * tokens * values, f"a layer of {tokens:,.0f} prompt tokens"),
        ("logits", logits, f"{what} over {shape.vocabulary:,} tokens"),
    ]
