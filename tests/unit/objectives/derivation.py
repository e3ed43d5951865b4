"""Every method of the catalogue again, from its paper: plain Python floats, one token at a time.

Nothing of ours is imported. ``loss`` takes the policy's log-probs apart from the batch's own, so
that its differences are gradients in which everything that a paper detaches stays as it was.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

Rows = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Batch:
    """B sequences with whole groups; log-probs, mask and weights [B][T], the rest [B]."""

    policy: Rows
    old: Rows
    teacher: Rows
    mask: Rows
    weights: Rows
    advantages: Sequence[float]
    correct: Sequence[bool]
    groups: Sequence[int]

    def places(self, row: int) -> list[int]:
        return [t for t, real in enumerate(self.mask[row]) if real]

    def distance(self, row: int, t: int) -> float:
        return self.teacher[row][t] - self.old[row][t]


def clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def advantage(method: str, batch: Batch, row: int, t: int, **options: float) -> float:
    """What a token's update is worth; table 1 of arXiv 2609.04108."""
    reward, right = batch.advantages[row], batch.correct[row]
    distance = batch.distance(row, t)
    if method == "sft":
        return 1.0 if right else 0.0
    if method == "opd":
        return distance
    if method == "kdrl":
        return reward + options["beta"] * distance
    if method == "kdrl_mask":
        return reward if right else reward + options["beta"] * distance
    if method == "srpo":
        return reward if right else distance
    if method == "hdpo":
        siblings = [i for i, group in enumerate(batch.groups) if group == batch.groups[row]]
        solved = any(batch.correct[i] for i in siblings)
        return reward if solved else reward + options["beta"] * distance
    if method == "rlsd":
        sign = (reward > 0) - (reward < 0)
        factor = clip(math.exp(sign * distance), 1 - options["mix_clip"], 1 + options["mix_clip"])
        return ((1 - options["mix"]) + options["mix"] * factor) * reward
    if method == "topd":
        return standardized_return(batch, row, t, **options)
    return reward


def standardized_return(batch: Batch, row: int, t: int, **options: float) -> float:
    """Algorithm 1 of arXiv 2607.04751."""

    def found(i: int, k: int) -> float:
        rewards = {
            j: math.log(
                options["teacher_weight"] * math.exp(batch.distance(i, j))
                + 1
                - options["teacher_weight"]
            )
            for j in batch.places(i)
        }
        later = [reward for j, reward in rewards.items() if j > k]
        return rewards[k] + (fmean(later) if later else 0.0)

    siblings = [i for i, group in enumerate(batch.groups) if group == batch.groups[row]]
    all_of_them = [found(i, k) for i in siblings for k in batch.places(i)]
    return (found(row, t) - fmean(all_of_them)) / (pstdev(all_of_them) + 1e-6)


def worth(method: str, batch: Batch, policy: Rows, row: int, t: int, **options: float) -> float:
    """A token's surrogate."""
    now, then, old = policy[row][t], batch.policy[row][t], batch.old[row][t]
    gain = advantage(method, batch, row, t, **options)
    if method == "sft":
        return gain * now
    low, high = 1 - options["clip_low"], 1 + options["clip_high"]
    if method == "cispo":
        return clip(math.exp(then - old), low, high) * gain * now
    ratio = math.exp(now - old)
    if method == "rlad":
        bound = options["teacher_log_ratio_clamp"]
        from_teacher = clip(now - batch.teacher[row][t], -bound, bound)
        ratio = math.exp(options["alpha"] * (now - old) + (1 - options["alpha"]) * from_teacher)
    if method == "gspo":
        of_sequence = [batch.policy[row][k] - batch.old[row][k] for k in batch.places(row)]
        ratio = math.exp(fmean(of_sequence)) * math.exp(now - then)
    return min(ratio * gain, clip(ratio, low, high) * gain)


def loss(
    method: str,
    batch: Batch,
    policy: Rows,
    *,
    aggregation: str,
    length: int,
    denominator: float,
    **options: float,
) -> float:
    """Minus the mean over a batch; ``length`` is that of the constant aggregation."""
    total = 0.0
    for row in range(len(batch.mask)):
        values = [
            batch.weights[row][t] * worth(method, batch, policy, row, t, **options)
            for t in batch.places(row)
        ]
        divisor = {"sequence_mean": len(values) or 1, "token_mean": 1, "constant": length}
        total += sum(values) / divisor[aggregation]
    return -total / denominator


def gradient(
    method: str, batch: Batch, *, step: float = 1e-6, **options: float | str | int
) -> list[list[float]]:
    """Central differences of the loss by each policy log-prob."""

    def moved(i: int, t: int, by: float) -> float:
        policy = [list(row) for row in batch.policy]
        policy[i][t] += by
        return loss(method, batch, policy, **options)  # type: ignore[arg-type]

    return [
        [(moved(i, t, step) - moved(i, t, -step)) / (2 * step) for t in range(len(row))]
        for i, row in enumerate(batch.policy)
    ]
