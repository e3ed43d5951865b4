"""The memory of a learner's rank: float32 weights, their gradient, AdamW's two moments, and what a
micro-batch keeps."""

from collections.abc import Iterator
from dataclasses import dataclass

from rkd_online.spec.sizing.activations import kept_bytes, layer_bytes, passing_bytes
from rkd_online.spec.sizing.head import chunk_bytes, gradient_bytes, kept_chances, row_bytes
from rkd_online.spec.sizing.parts import Entry, Moment, count_words, moment
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
    state: list[Entry] = [
        ("weights", mine, f"4 bytes x {count_words(shape.parameters)}{_shared(ranks)}"),
        ("moments", MOMENTS * mine, "AdamW's two, 4 bytes each"),
        ("gradient", mine, "4 bytes"),
    ]
    kept: list[Entry] = [("reference", mine, "4 bytes, frozen")] if case.reference else []
    load = [("weights", whole, f"4 bytes x {count_words(shape.parameters)}, whole on each rank")]
    before = [("policy", mine, "its part of the policy")] if case.reference else []
    sent = FLOAT32 * shape.embedding if ranks > 1 else 0
    held = [*state, *kept, *_held(case)]
    again = [_one_layer(case)] if case.again else []
    return (
        moment("load", [*before, *load]),
        # Copies are kept until the forward pass ends, whatever is computed again later.
        moment("update, forward", [*held, _copies(case), _passing(case)]),
        moment("update, at the head", [*held, *_kept_copies(case), *_head(case)]),
        moment(
            "update, backward",
            [*held, *_kept_copies(case), _head_gradient(case), _passing(case), *again],
        ),
        moment("publish", [*state, *kept, ("gathered", sent, "the largest tensor, whole")]),
    )


def _held(case: LearnerCase) -> Iterator[Entry]:
    """From the forward pass to the backward pass."""
    shape, tokens = case.shape, case.tokens
    kept = kept_bytes(shape, case.narrow, again=case.again, keys=case.keys)
    how = "layers computed again backward" if case.again else f"{shape.layers} layers"
    yield "activations", tokens * kept, f"{tokens:,} tokens x {kept / 1024:,.0f} KiB, {how}"
    yield "gathered", _gathered(case), "layers, embedding and head whole, in turn"


def _head(case: LearnerCase) -> Iterator[Entry]:
    shape, tokens = case.shape, case.tokens
    chunks = chunk_bytes(shape, tokens) + kept_chances(shape, tokens, case.narrow)
    yield "head chunks", chunks, "logits and probabilities, in chunks"
    yield "head rows", row_bytes(shape, tokens), "hidden states and their gradient"
    yield _head_gradient(case)


def _head_gradient(case: LearnerCase) -> Entry:
    size = gradient_bytes(case.shape, case.narrow)
    return "head gradient", size, "before it joins the others"


def _passing(case: LearnerCase) -> Entry:
    size = case.tokens * passing_bytes(case.shape, case.narrow)
    return "passing", size, "what comes and goes in a layer"


def _one_layer(case: LearnerCase) -> Entry:
    size = case.tokens * layer_bytes(case.shape, case.narrow, case.keys)
    return "one layer", size, "computed again"


def _kept_copies(case: LearnerCase) -> list[Entry]:
    return [] if case.again else [_copies(case)]


def _copies(case: LearnerCase) -> Entry:
    """A product in a lower precision has a copy of its matrix."""
    size = 0 if case.narrow == FLOAT32 else case.narrow * case.shape.matrices
    count = count_words(case.shape.matrices)
    return "copies", size, f"{case.narrow} bytes x {count} of the layers' matrices"


def _gathered(case: LearnerCase) -> float:
    if case.ranks == 1:
        return 0
    ends = case.shape.embedding * (1 if case.shape.tied else 2)
    return FLOAT32 * (GATHERED * case.shape.layer + 2 * ends)


def _shared(ranks: int) -> str:
    return f" / {ranks} ranks" if ranks > 1 else ""
