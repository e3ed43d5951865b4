"""The memory of a learner's rank: float32 weights, their gradient, AdamW's two moments, and what a
micro-batch keeps."""

from collections.abc import Iterator
from dataclasses import dataclass

from rkd_online.spec.sizing.activations import kept_bytes, passing_bytes
from rkd_online.spec.sizing.head import chunk_bytes, gradient_bytes, kept_chances, row_bytes
from rkd_online.spec.sizing.parts import Moment, count_words, moment
from rkd_online.spec.sizing.shape import FLOAT32, Shape
from rkd_online.spec.sizing.work import Work

MOMENTS = 2
GATHERED = 5
"""Layers that FSDP holds whole beside a rank's part: the one at hand and the next, the buffer that
they are gathered in, a gradient, and the buffer that it is scattered from."""


@dataclass(frozen=True, slots=True)
class LearnerCase:
    """How a policy is updated. ``tokens`` are those of a micro-batch, ``narrow`` the bytes of a
    number in a product; ``cpu`` attends by tiles, which have a prompt's keys for each sibling."""

    shape: Shape
    ranks: int
    tokens: int
    narrow: int
    again: bool
    reference: bool
    cpu: bool
    work: Work

    @property
    def keys(self) -> float:
        """Keys that attention holds for each token."""
        if not self.cpu:
            return 1.0
        one = self.work
        return (one.prompt + one.siblings * one.longest) / (one.prompt + one.siblings * one.new)


def micro_batch(budget: int, minibatches: int, ranks: int, work: Work) -> int:
    """Tokens of the largest forward pass: the budget, or all that an optimizer step has for a
    rank where that is less, of which one sequence is the least."""
    share = work.packed_tokens / minibatches / ranks
    return round(min(budget, max(share, work.longest)))


def learner_moments(case: LearnerCase) -> tuple[Moment, ...]:
    """While it loads, updates, and gives its weights away."""
    shape, ranks = case.shape, case.ranks
    whole = FLOAT32 * shape.parameters
    mine = whole / ranks
    state = [
        ("weights", mine, f"4 bytes x {count_words(shape.parameters)}{_shared(ranks)}"),
        ("moments", MOMENTS * mine, "AdamW's two, 4 bytes each"),
        ("gradient", mine, "4 bytes"),
    ]
    kept = [("reference", mine, "4 bytes, frozen")] if case.reference else []
    load = [("weights", whole, f"4 bytes x {count_words(shape.parameters)}, whole on each rank")]
    before = [("policy", mine, "its part of the policy")] if case.reference else []
    sent = FLOAT32 * shape.embedding if ranks > 1 else 0
    return (
        moment("load", [*before, *load]),
        moment("step", [*state, *kept, *_step(case)]),
        moment("publish", [*state, *kept, ("gathered", sent, "the largest tensor, whole")]),
    )


def _step(case: LearnerCase) -> Iterator[tuple[str, float, str]]:
    shape, tokens, narrow = case.shape, case.tokens, case.narrow
    kept = kept_bytes(shape, narrow, again=case.again, keys=case.keys)
    how = "layers computed again backward" if case.again else f"{shape.layers} layers"
    yield "activations", tokens * kept, f"{tokens:,} tokens x {kept / 1024:,.0f} KiB, {how}"
    if narrow != FLOAT32:
        held = shape.matrices if not case.again else 2 * shape.matrices / shape.layers
        yield "copies", narrow * held, f"{narrow} bytes x {count_words(held)} of the matrices"
    passing = tokens * passing_bytes(shape, narrow)
    yield "passing", passing, "what comes and goes in a layer"
    head = chunk_bytes(shape, tokens) + kept_chances(shape, tokens, narrow)
    yield "head chunks", head, "logits and probabilities, in chunks"
    yield "head rows", row_bytes(shape, tokens), "hidden states and their gradient"
    yield "head gradient", gradient_bytes(shape, narrow), "before it joins the others"
    if case.ranks > 1:
        ends = shape.embedding * (1 if shape.tied else 2)
        gathered = GATHERED * shape.layer + 2 * ends
        yield "gathered", FLOAT32 * gathered, "layers, embedding and head whole, in turn"


def _shared(ranks: int) -> str:
    return f" / {ranks} ranks" if ranks > 1 else ""
