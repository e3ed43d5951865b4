"""Divergences from the teacher over candidates and the rest, against numpy on all tokens."""

import math
from typing import Any, Final

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from rkd_online.objectives import CandidateTokens, policy_loss
from rkd_online.objectives.divergence import teacher_divergence
from rkd_online.spec.algorithm import Grpo, Opd
from rkd_online.spec.divergence import AnyDivergence, ForwardKl, GeneralizedJsd, ReverseKl

Vector = NDArray[np.float64]

DIVERGENCES: Final[dict[str, AnyDivergence]] = {
    "forward": ForwardKl(type="forward", weight=1.0),
    "reverse": ReverseKl(type="reverse", weight=1.0),
    "jsd 0.5": GeneralizedJsd(type="jsd", weight=1.0),
    "jsd 0.1": GeneralizedJsd(type="jsd", weight=1.0, beta=0.1),
    "jsd 0.9": GeneralizedJsd(type="jsd", weight=1.0, beta=0.9),
}
BETAS: Final = {"jsd 0.5": 0.5, "jsd 0.1": 0.1, "jsd 0.9": 0.9}
VOCABULARY: Final = 12
DRAW = np.random.default_rng(20230613)
TEACHER: Vector = DRAW.normal(size=VOCABULARY) * 2
POLICY: Vector = DRAW.normal(size=VOCABULARY) * 2
"""Logits."""


def chances(logits: Vector) -> Vector:
    shifted = np.exp(logits - logits.max())
    found: Vector = shifted / shifted.sum()
    return found


def kl(one: Vector, other: Vector) -> float:
    return float((one * np.log(one / other)).sum())


def by_formula(name: str, teacher: Vector, policy: Vector) -> float:
    """The divergence of two distributions of any number of outcomes."""
    if name == "forward":
        return kl(teacher, policy)
    if name == "reverse":
        return kl(policy, teacher)
    beta = BETAS[name]
    mixture = beta * teacher + (1 - beta) * policy
    return beta * kl(teacher, mixture) + (1 - beta) * kl(policy, mixture)


def bucketed(name: str, policy: Vector, count: int) -> float:
    """The divergence after all but the teacher's ``count`` most probable tokens became one."""
    taught, learned = chances(TEACHER), chances(policy)
    order = np.argsort(-taught)
    parts = [
        np.append(side[order[:count]], side[order[count:]].sum()) for side in (taught, learned)
    ]
    return by_formula(name, *parts)


def ours(name: str, policy: Tensor, count: int) -> Tensor:
    """The same by the code under test, from logits of the policy."""
    table = torch.log_softmax(policy, -1)
    taught = torch.from_numpy(np.log(chances(TEACHER)))
    ids = taught.argsort(descending=True)

    def parts(side: Tensor) -> Tensor:
        rest = side[ids[count:]].logsumexp(-1, keepdim=True)
        return torch.cat([side[ids[:count]], rest]).view(1, 1, -1)

    tokens = CandidateTokens(parts(table), parts(taught))
    return teacher_divergence(DIVERGENCES[name], tokens, torch.ones(1, 1, dtype=torch.bool))[0, 0]


def logits(values: Vector = POLICY) -> Tensor:
    return torch.from_numpy(values.copy()).requires_grad_()


@pytest.mark.parametrize("count", [1, 2, 5, 11])
@pytest.mark.parametrize("name", DIVERGENCES)
def test_a_value_is_that_of_candidates_and_rest(name: str, count: int) -> None:
    found = float(ours(name, logits(), count).detach())
    assert found == pytest.approx(bucketed(name, POLICY, count), rel=1e-12)
    assert found > 1e-3


@pytest.mark.parametrize("count", [VOCABULARY - 1, VOCABULARY])
@pytest.mark.parametrize("name", DIVERGENCES)
def test_nothing_is_lost_where_at_most_one_token_is_left_over(name: str, count: int) -> None:
    found = ours(name, logits(), count)
    exact = by_formula(name, chances(TEACHER), chances(POLICY))
    assert float(found.detach()) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_more_candidates_never_lower_it_and_all_are_the_most(name: str) -> None:
    """Data processing: outcomes that are put together tell less apart."""
    exact = by_formula(name, chances(TEACHER), chances(POLICY))
    found = [float(ours(name, logits(), k).detach()) for k in range(1, VOCABULARY + 1)]
    assert all(one <= more + 1e-12 for one, more in zip(found, [*found[1:], exact], strict=True))
    assert found[0] < 0.9 * exact


@pytest.mark.parametrize("count", [1, 4, 11, VOCABULARY])
@pytest.mark.parametrize("name", DIVERGENCES)
def test_the_gradient_is_that_of_finite_differences(name: str, count: int) -> None:
    given = logits()
    (found,) = torch.autograd.grad(ours(name, given, count), given)
    step = 1e-6
    for place in range(VOCABULARY):
        moved = [POLICY.copy(), POLICY.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        low, high = (bucketed_or_whole(name, one, count) for one in (moved[1], moved[0]))
        assert float(found[place]) == pytest.approx((high - low) / (2 * step), abs=1e-8)
    assert float(found.abs().max()) > 1e-3


def bucketed_or_whole(name: str, policy: Vector, count: int) -> float:
    if count == VOCABULARY:
        return by_formula(name, chances(TEACHER), chances(policy))
    return bucketed(name, policy, count)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_equal_distributions_have_neither_a_divergence_nor_a_gradient(name: str) -> None:
    given = logits(TEACHER)
    found = ours(name, given, 5)
    (gradient,) = torch.autograd.grad(found, given)
    assert float(found.detach()) == pytest.approx(0, abs=1e-15)
    assert float(gradient.abs().max()) < 1e-15


def test_at_its_ends_the_jsd_is_one_of_the_two_kls() -> None:
    """arXiv 2306.13649, section 2: divided by beta towards 0, by 1 - beta towards 1."""
    near = 1e-7
    tokens = [
        GeneralizedJsd(type="jsd", weight=1.0, beta=near),
        GeneralizedJsd(type="jsd", weight=1.0, beta=1 - near),
    ]
    taught, learned = np.log(chances(TEACHER)), np.log(chances(POLICY))
    sides = CandidateTokens(
        torch.from_numpy(np.append(learned, -np.inf)).view(1, 1, -1),
        torch.from_numpy(np.append(taught, -np.inf)).view(1, 1, -1),
    )
    mask = torch.ones(1, 1, dtype=torch.bool)
    low, high = (float(teacher_divergence(one, sides, mask)) / near for one in tokens)
    assert low == pytest.approx(by_formula("forward", chances(TEACHER), chances(POLICY)), rel=1e-4)
    assert high == pytest.approx(by_formula("reverse", chances(TEACHER), chances(POLICY)), rel=1e-4)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_an_entry_that_stands_for_none_changes_nothing(name: str) -> None:
    policy = torch.tensor([[[-1.0, -2.0, -0.9]]], dtype=torch.float64)
    teacher = torch.tensor([[[-0.5, -3.0, -1.2]]], dtype=torch.float64)
    nothing = torch.tensor([[[-math.inf]]], dtype=torch.float64)
    mask = torch.ones(1, 1, dtype=torch.bool)
    longer = torch.cat([policy[..., :2], policy[..., :1], policy[..., 2:]], -1).requires_grad_()
    with_none = CandidateTokens(
        longer, torch.cat([teacher[..., :2], nothing, teacher[..., 2:]], -1)
    )
    found = teacher_divergence(DIVERGENCES[name], with_none, mask)
    expected = teacher_divergence(DIVERGENCES[name], CandidateTokens(policy, teacher), mask)
    assert torch.equal(found.detach(), expected)
    (gradient,) = torch.autograd.grad(found.sum(), longer)
    assert float(gradient[0, 0, 2]) == 0.0 and bool(gradient.isfinite().all())


def test_what_is_not_a_number_is_not_hidden() -> None:
    bad = torch.tensor([[[-1.0, math.nan, -0.9]]])
    good = torch.tensor([[[-1.0, -1.0, -1.2]]])
    mask = torch.ones(1, 1, dtype=torch.bool)
    for one in (CandidateTokens(bad, good), CandidateTokens(good, bad)):
        assert teacher_divergence(DIVERGENCES["forward"], one, mask).isnan().all()


# Two sequences, of two tokens and of one; two candidates and the rest, as probabilities.
LEARNED = [[[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]], [[0.1, 0.1, 0.8], [0.0, 0.0, 0.0]]]
TAUGHT = [[[0.7, 0.2, 0.1], [0.5, 0.3, 0.2]], [[0.6, 0.1, 0.3], [0.0, 0.0, 0.0]]]
FORWARD = [[kl(np.array(p), np.array(q)) for p, q in zip(one, other, strict=True) if p[0]]
           for one, other in zip(TAUGHT, LEARNED, strict=True)]  # fmt: skip


def tokens(policy: Any = LEARNED, teacher: Any = TAUGHT) -> CandidateTokens:
    return CandidateTokens(
        torch.tensor(policy, dtype=torch.float64).log().requires_grad_(),
        torch.tensor(teacher, dtype=torch.float64).log(),
    )


def loss_of(candidates: CandidateTokens | None, **options: Any) -> tuple[Tensor, dict[str, float]]:
    """With advantages of 0, so that the divergence is all there is."""
    given: dict[str, Any] = {
        "algorithm": Grpo(teacher_divergence={"type": "forward", "weight": 0.5, "k": 2}),
        "mask": torch.tensor([[1, 1], [1, 0]]),
    } | options
    policy = torch.full(given["mask"].shape, -1.0, dtype=torch.float64)
    loss, metrics = policy_loss(
        policy,
        old_logprobs=policy,
        teacher_logprobs=None,
        advantages=torch.zeros(len(policy)),
        candidates=candidates,
        **given,
    )
    return loss, {name: float(value) for name, value in metrics.items()}


def test_the_loss_has_it_times_its_weight_and_averaged_as_the_method_is() -> None:
    loss, metrics = loss_of(tokens())
    mean = (sum(FORWARD[0]) / 2 + FORWARD[1][0]) / 2
    assert float(loss.detach()) == pytest.approx(0.5 * mean, rel=1e-12)
    assert metrics["teacher/divergence"] == pytest.approx(mean, rel=1e-12)
    assert metrics["teacher/top_k_mass"] == pytest.approx(((0.9 + 0.8) / 2 + 0.7) / 2, rel=1e-12)
    by_token = Grpo(
        aggregation={"type": "token_mean"},
        teacher_divergence={"type": "forward", "weight": 2.0, "k": 2},
    )
    loss, _ = loss_of(tokens(), algorithm=by_token)
    assert float(loss.detach()) == pytest.approx(2 * (sum(FORWARD[0]) + FORWARD[1][0]) / 3)


def test_a_clip_and_the_weight_of_the_sampled_token_leave_it_as_it_is() -> None:
    """No sampled token enters it."""
    plain, _ = loss_of(tokens())
    weighed, _ = loss_of(tokens(), importance_weights=torch.tensor([[0.0, 2.0], [0.5, 1.0]]))
    assert float(weighed.detach()) == float(plain.detach())


def test_padding_gives_no_gradient_whatever_it_holds() -> None:
    given = tokens()
    dirty = given.policy.detach().clone()
    dirty[1, 1] = math.nan
    teacher = given.teacher.clone()
    teacher[1, 1] = math.nan
    found, gradients = [], []
    for one in (given, CandidateTokens(dirty.requires_grad_(), teacher)):
        loss, _ = loss_of(one)
        found.append(float(loss.detach()))
        gradients.append(torch.autograd.grad(loss, one.policy)[0])
    assert found[0] == found[1]
    assert torch.equal(gradients[0], gradients[1])
    assert float(gradients[0][1, 1].abs().sum()) == 0.0
    # Of -p log q by log q, at the weight 0.5 and as half of one of two sequences.
    expected = torch.tensor([-0.7, -0.2, -0.1], dtype=torch.float64) * 0.5 / 4
    torch.testing.assert_close(gradients[0][0, 0], expected, rtol=1e-12, atol=0)


def test_parts_of_a_batch_have_its_loss_and_metrics_in_sum() -> None:
    whole, metrics = loss_of(tokens())
    first = loss_of(tokens(LEARNED[:1], TAUGHT[:1]), mask=torch.tensor([[1, 1]]), denominator=2)
    second = loss_of(tokens(LEARNED[1:], TAUGHT[1:]), mask=torch.tensor([[1, 0]]), denominator=2)
    total = first[0] + second[0]
    assert float(total.detach()) == pytest.approx(float(whole.detach()), rel=1e-12)
    for name in ("teacher/divergence", "teacher/top_k_mass"):
        assert first[1][name] + second[1][name] == pytest.approx(metrics[name], rel=1e-12)


def test_candidates_that_nobody_asks_for_play_no_part() -> None:
    loss, metrics = loss_of(tokens(), algorithm=Grpo())
    assert float(loss) == 0.0
    assert not any(name.startswith("teacher/") for name in metrics)


def test_a_divergence_without_candidates_is_refused_and_so_is_a_wrong_shape() -> None:
    with pytest.raises(ValueError, match=r"^candidates is None, but teacher_divergence.type 'forw"):
        loss_of(None)
    wrong = CandidateTokens(tokens().policy, tokens().teacher[..., :2])
    with pytest.raises(ValueError, match=r"^candidates.teacher has shape \[2, 2, 2\], expected"):
        loss_of(wrong)
    assert Opd().teacher_divergence.type == "none"
