"""What each method makes of the teacher's log-ratio, by hand.

At lp = lo every ratio is 1, no clip binds, and a token's gradient is minus its advantage over the
tokens of its sequence and the number of sequences: that is how advantages are read off.
"""

import math
from statistics import fmean, pstdev
from typing import Any

import pytest
import torch
from torch import Tensor

from rkd_online.objectives import policy_loss, token_advantages
from rkd_online.spec.algorithm import Algorithm, Grpo, Hdpo, Kdrl, KdrlMask, Opd, Rlsd, Srpo, Topd

L = math.log(2)
# Four sequences of two tokens. The first group is wrong as a whole, the second has one correct.
DISTANCE = [[L, -L], [0.0, L], [-L, 0.0], [L, L]]
REWARD = [1.0, -1.0, -0.5, 2.0]
CORRECT = [0, 0, 0, 1]
GROUPS = [7, 7, 9, 9]
EPSILON = 1e-6
RAISED, LOWERED = math.log(1.5), math.log(0.75)
"""log(w * exp(d) + 1 - w) for w = 1/2 and d = +-L; at d = 0 it is 0."""


def inputs() -> dict[str, Any]:
    policy = torch.full((4, 2), -1.0, dtype=torch.float64)
    return {
        "old_logprobs": policy,
        "teacher_logprobs": policy + torch.tensor(DISTANCE, dtype=torch.float64),
        "advantages": torch.tensor(REWARD, dtype=torch.float64),
        "mask": torch.ones(4, 2),
        "correct": torch.tensor(CORRECT),
        "group_ids": torch.tensor(GROUPS),
    }


def gradient_of(algorithm: Algorithm, **changes: Any) -> Tensor:
    arguments = inputs() | changes
    policy = arguments["old_logprobs"].clone().requires_grad_()
    loss, _ = policy_loss(policy, algorithm=algorithm, **arguments)
    gradient: Tensor = torch.autograd.grad(loss, policy)[0]
    return gradient


def advantages_of(algorithm: Algorithm, **changes: Any) -> list[list[float]]:
    found: list[list[float]] = (-8 * gradient_of(algorithm, **changes)).tolist()
    return found


def standardized(*returns: float) -> list[float]:
    return [(one - fmean(returns)) / (pstdev(returns) + EPSILON) for one in returns]


FIRST = standardized(RAISED + LOWERED, LOWERED, RAISED, RAISED)
SECOND = standardized(LOWERED, 0.0, 2 * RAISED, RAISED)


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        (Grpo(), [[1, 1], [-1, -1], [-0.5, -0.5], [2, 2]]),
        (Opd(), DISTANCE),
        (
            Kdrl(beta=0.5),
            [[1 + L / 2, 1 - L / 2], [-1, -1 + L / 2], [-0.5 - L / 2, -0.5], [2 + L / 2] * 2],
        ),
        (
            KdrlMask(beta=0.5),
            [[1 + L / 2, 1 - L / 2], [-1, -1 + L / 2], [-0.5 - L / 2, -0.5], [2, 2]],
        ),
        (Srpo(), [[L, -L], [0, L], [-L, 0], [2, 2]]),
        (
            Hdpo(beta=0.5),
            [[1 + L / 2, 1 - L / 2], [-1, -1 + L / 2], [-0.5, -0.5], [2, 2]],
        ),
        # exp(d) is 2, 1 or 1/2; against the sign of A it turns round; the clip is at 0.8 and 1.2.
        (Rlsd(), [[1.2, 0.8], [-1, -0.8], [-0.6, -0.5], [2.4, 2.4]]),
        (Rlsd(mix=0.5), [[1.1, 0.9], [-1, -0.9], [-0.55, -0.5], [2.2, 2.2]]),
        (Rlsd(mix_clip=1.0), [[2, 0.5], [-1, -0.5], [-1, -0.5], [4, 4]]),
        (Rlsd(mix=0.0), [[1, 1], [-1, -1], [-0.5, -0.5], [2, 2]]),
        (Topd(teacher_weight=0.5), [FIRST[:2], FIRST[2:], SECOND[:2], SECOND[2:]]),
    ],
)
def test_the_advantage_of_each_token(algorithm: Algorithm, expected: list[list[float]]) -> None:
    for found, row in zip(advantages_of(algorithm), expected, strict=True):
        assert found == pytest.approx(row, rel=1e-13, abs=1e-15)
    before = inputs() | {"algorithm": algorithm}
    for made, row in zip(token_advantages(**before).tolist(), expected, strict=True):
        assert made == pytest.approx(row, rel=1e-13, abs=1e-15)


def test_kdrl_is_grpo_with_the_gradient_of_its_k2_term() -> None:
    policy = inputs()["old_logprobs"].clone().requires_grad_()
    k2 = 0.5 * (policy - inputs()["teacher_logprobs"]).square()
    (of_k2,) = torch.autograd.grad(0.3 * k2.mean(), policy)
    expected = gradient_of(Grpo()) + of_k2
    torch.testing.assert_close(gradient_of(Kdrl(beta=0.3)), expected, rtol=1e-13, atol=1e-15)


def test_opd_has_the_gradient_of_the_reverse_kl() -> None:
    """In expectation over a policy's own tokens: pi * (log(pi / teacher) - KL) by logit."""
    logits = torch.tensor([0.3, -1.0, 0.9, 0.0], dtype=torch.float64, requires_grad=True)
    teacher = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    policy = logits.log_softmax(0).unsqueeze(1)
    loss, _ = policy_loss(
        policy,
        old_logprobs=policy.detach(),
        teacher_logprobs=teacher.log().unsqueeze(1),
        advantages=torch.zeros(4),
        mask=torch.ones(4, 1),
        algorithm=Opd(),
        importance_weights=policy.detach().exp(),
        denominator=1,
    )
    (gradient,) = torch.autograd.grad(loss, logits)
    chances = logits.detach().softmax(0)
    ratio = (chances / teacher).log()
    expected = chances * (ratio - (chances * ratio).sum())
    torch.testing.assert_close(gradient, expected, rtol=1e-13, atol=1e-15)


def test_a_group_that_is_wrong_is_known_before_the_split() -> None:
    wrong = torch.tensor([False, False, True, True])
    given = advantages_of(Hdpo(beta=0.5), correct=None, group_ids=None, group_wrong=wrong)
    expected = [[1, 1], [-1, -1], [-0.5 - L / 2, -0.5], [2 + L / 2, 2 + L / 2]]
    for found, row in zip(given, expected, strict=True):
        assert found == pytest.approx(row, rel=1e-13)


def test_token_advantages_that_are_given_are_taken_as_they_are() -> None:
    given = [[3.0, -1.0], [0.5, 0.25], [0.0, 2.0], [-4.0, 1.0]]
    found = advantages_of(
        Topd(), group_ids=None, token_advantages=torch.tensor(given, dtype=torch.float64)
    )
    assert found == given


@pytest.mark.parametrize("distance", [-math.inf, -800.0])
def test_a_token_that_the_teacher_rules_out_is_bounded_by_rlsd_and_topd(distance: float) -> None:
    teacher = inputs()["teacher_logprobs"].clone()
    teacher[0, 0] = distance
    assert advantages_of(Rlsd(), teacher_logprobs=teacher)[0] == pytest.approx([0.8, 0.8])
    lowest = math.log(0.5)
    expected = standardized(lowest + LOWERED, LOWERED, RAISED, RAISED)
    found = advantages_of(Topd(teacher_weight=0.5), teacher_logprobs=teacher)
    assert [*found[0], *found[1]] == pytest.approx(expected, rel=1e-13)
    assert found[2] == pytest.approx(SECOND[:2], rel=1e-13)


def test_a_token_that_the_teacher_rules_out_is_not_hidden_by_opd() -> None:
    teacher = inputs()["teacher_logprobs"].clone()
    teacher[0, 0] = -math.inf
    assert gradient_of(Opd(), teacher_logprobs=teacher)[0, 0] == math.inf


def test_a_teacher_that_agrees_moves_nothing() -> None:
    same = inputs()["old_logprobs"]
    for algorithm in (Opd(), Topd()):
        assert not gradient_of(algorithm, teacher_logprobs=same).any()


def test_the_whole_teacher_as_target_has_the_returns_of_opd() -> None:
    first = standardized(L - L, -L, L, L)
    found = advantages_of(Topd(teacher_weight=1.0))
    assert [*found[0], *found[1]] == pytest.approx(first, rel=1e-13, abs=1e-15)


def test_returns_of_thousands_of_tokens_stay_exact_in_float32() -> None:
    """One sequence whose rewards are equal: each return is twice the reward, the last one once."""
    tokens, distance = 5000, math.log(3)
    found = token_advantages(
        old_logprobs=torch.full((1, tokens), -2.0),
        teacher_logprobs=torch.full((1, tokens), -2.0 + distance),
        advantages=torch.zeros(1),
        mask=torch.ones(1, tokens),
        algorithm=Topd(teacher_weight=0.5),
        group_ids=torch.zeros(1),
    )
    # In units of the reward: mean 2 - 1/n, variance (n - 1) / n^2.
    reward = math.log(2)
    expected = (reward / tokens) / (reward * (tokens - 1) ** 0.5 / tokens + EPSILON)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found[0, :-1], torch.full((4999,), expected), rtol=1e-4, atol=0)
    assert float(found[0, -1]) == pytest.approx(-expected * 4999, rel=1e-4)
