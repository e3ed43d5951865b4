"""Memory of log-probs from hidden states, forward and backward, by vocabulary and by length.

What torch has allocated at the most, by its own account. That of a ``hidden.sum()`` backward is
subtracted; both hold the head's weight and a gradient of its size, so these do not count.
"""

from collections.abc import Callable
from functools import partial
from itertools import accumulate

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.results import Figure, Goal, Result, Row, result
from rkd_online.models.candidates import candidate_logprobs
from rkd_online.models.head import token_logprobs
from rkd_online.models.logits import Head

WIDTH = 256
TOKENS = 8192
LENGTHS = (65_536, 131_072)
"""So long that what grows with the length is more than the buffers, which do not."""
VOCABULARIES = (8192, 32_768, 151_936)
CANDIDATES = (64, 512)
"""Candidates of the teacher at each token, beside none."""


def measure() -> Result:
    """The head over three vocabularies, and over twice the tokens."""
    few, many = LENGTHS
    small, _, large = VOCABULARIES
    found = {vocabulary: _extra(vocabulary, TOKENS) for vocabulary in VOCABULARIES}
    longer = _extra(small, many) - _extra(small, few)
    wider = {
        (vocabulary, count): _extra(vocabulary, TOKENS, count)
        for vocabulary in (small, large)
        for count in CANDIDATES
    }
    less, more = CANDIDATES
    by_candidate = (wider[large, more] - wider[large, less]) / (TOKENS * (more - less))
    rows: list[Row] = [
        Figure(
            what=f"{TOKENS} tokens of width {WIDTH}, vocabulary {vocabulary}: above `hidden.sum()`",
            value=extra / 2**20,
            unit="MiB",
        )
        for vocabulary, extra in found.items()
    ]
    return result(
        "head-memory",
        "Memory of log-probs and their gradient from hidden states",
        [
            *rows,
            Goal(
                what=f"growth from vocabulary {small} to {large}",
                value=100 * (found[large] / found[small] - 1),
                unit="%",
                bound="at most",
                limit=10,
            ),
            Goal(
                what=f"growth from {few} to {many} tokens, over the hidden states that are added",
                value=longer / ((many - few) * WIDTH * 4),
                unit="",
                bound="at most",
                limit=2,
            ),
            *(
                Figure(
                    what=f"{TOKENS} tokens, {count} candidates each, vocabulary {vocabulary}: "
                    "above `hidden.sum()`",
                    value=extra / 2**20,
                    unit="MiB",
                )
                for (vocabulary, count), extra in wider.items()
            ),
            Goal(
                what=f"{less} candidates, growth from vocabulary {small} to {large}",
                value=100 * (wider[large, less] / wider[small, less] - 1),
                unit="%",
                bound="at most",
                limit=10,
            ),
            Goal(
                what="bytes of one candidate more at one token, an id of 8 among them",
                value=by_candidate,
                unit="",
                bound="at most",
                limit=64,
            ),
        ],
    )


def _extra(vocabulary: int, tokens: int, candidates: int = 0) -> int:
    """Bytes above the sum's."""
    head = partial(_candidates, count=candidates) if candidates else _head
    return _peak(head, vocabulary, tokens) - _peak(_sum, vocabulary, tokens)


def _head(hidden: torch.Tensor, weight: torch.Tensor) -> None:
    targets = torch.arange(len(hidden)) % len(weight)
    logprobs, _ = token_logprobs(hidden, Head(weight), targets, 1.0, dtype=torch.float32)
    logprobs.sum().backward()


def _candidates(hidden: torch.Tensor, weight: torch.Tensor, count: int) -> None:
    targets = torch.arange(len(hidden)) % len(weight)
    ids = (targets.unsqueeze(-1) + torch.arange(count)) % len(weight)
    found = candidate_logprobs(hidden, Head(weight), targets, ids, 1.0, dtype=torch.float32)
    (found.logprobs.sum() + found.candidates.sum() + found.rest.sum()).backward()


def _sum(hidden: torch.Tensor, weight: torch.Tensor) -> None:
    weight.grad = torch.ones_like(weight)
    hidden.sum().backward()


def _peak(work: Callable[[torch.Tensor, torch.Tensor], None], vocabulary: int, tokens: int) -> int:
    """The most bytes that are allocated at a time beside hidden states and weight."""
    hidden = torch.randn(tokens, WIDTH, requires_grad=True)
    weight = torch.randn(vocabulary, WIDTH, requires_grad=True)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        work(hidden, weight)
    results = watched.profiler.kineto_results
    changes = [event for event in results.events() if event.name() == "[memory]"]
    changes.sort(key=lambda event: event.start_ns())
    return max(accumulate(int(event.nbytes()) for event in changes))
