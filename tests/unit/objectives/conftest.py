"""An independent derivation of the loss: plain Python floats, one token at a time."""

import math
from collections.abc import Callable, Sequence

import pytest

Rows = Sequence[Sequence[float]]
ReferenceLoss = Callable[..., float]


def token_surrogate(
    policy: float,
    old: float,
    teacher: float,
    advantage: float,
    *,
    alpha: float,
    clamp: float,
    clip_low: float,
    clip_high: float,
) -> float:
    """Equations 3 and 4 of arXiv 2602.22495 for one token; alpha 1 is GRPO."""
    from_teacher = min(max(policy - teacher, -clamp), clamp)
    ratio = math.exp(alpha * (policy - old) + (1 - alpha) * from_teacher)
    clipped = min(max(ratio, 1 - clip_low), 1 + clip_high)
    return min(ratio * advantage, clipped * advantage)


def loss_of_batch(
    policy: Rows,
    old: Rows,
    teacher: Rows,
    advantages: Sequence[float],
    mask: Rows,
    *,
    denominator: float,
    weights: Rows | None = None,
    alpha: float = 0.5,
    clamp: float = 1.0,
    clip_low: float = 0.2,
    clip_high: float = 0.28,
) -> float:
    """Minus (the sum over sequences of the token mean) / denominator."""
    total = 0.0
    for i, row in enumerate(mask):
        places = [t for t, real in enumerate(row) if real]
        values = [
            (1.0 if weights is None else weights[i][t])
            * token_surrogate(
                policy[i][t],
                old[i][t],
                teacher[i][t],
                advantages[i],
                alpha=alpha,
                clamp=clamp,
                clip_low=clip_low,
                clip_high=clip_high,
            )
            for t in places
        ]
        total += sum(values) / len(values) if values else 0.0
    return -total / denominator


@pytest.fixture
def reference_loss() -> ReferenceLoss:
    """The whole loss from nested lists of floats."""
    return loss_of_batch


@pytest.fixture
def reference_gradient() -> Callable[..., list[list[float]]]:
    """Central finite differences of the reference loss by each policy log-prob."""

    def gradient(
        policy: Rows, *others: object, step: float = 1e-6, **options: object
    ) -> list[list[float]]:
        def moved(i: int, t: int, by: float) -> float:
            rows = [list(row) for row in policy]
            rows[i][t] += by
            return loss_of_batch(rows, *others, **options)  # type: ignore[arg-type]

        return [
            [(moved(i, t, step) - moved(i, t, -step)) / (2 * step) for t in range(len(row))]
            for i, row in enumerate(policy)
        ]

    return gradient
