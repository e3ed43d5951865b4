"""What is left of a token's gradient on each side of the teacher clamp and of the clip.

One token, lp = lo where nothing else is said, so the loss is -surrogate and the expected gradients
are written out: minus (share of the gradient that is left) * rho * A.
"""

import math

import pytest
import torch

from rkd_online.objectives import policy_loss
from rkd_online.spec import Algorithm, Grpo, Rlad


def one_token(
    algorithm: Algorithm, *, from_old: float, from_teacher: float, advantage: float
) -> tuple[float, dict[str, float]]:
    policy = torch.tensor([[-2.0]], dtype=torch.float64, requires_grad=True)
    loss, metrics = policy_loss(
        policy,
        old_logprobs=policy.detach() - from_old,
        teacher_logprobs=policy.detach() - from_teacher,
        advantages=torch.tensor([advantage], dtype=torch.float64),
        mask=torch.ones(1, 1),
        algorithm=algorithm,
    )
    (gradient,) = torch.autograd.grad(loss, policy)
    return gradient.item(), {name: float(value) for name, value in metrics.items()}


@pytest.mark.parametrize(
    ("advantage", "from_teacher", "expected"),
    [
        (3.0, -1.5, -0.5 * math.exp(-0.5) * 3),  # rho 0.61 is the smaller: the alpha share is left
        (-3.0, 1.5, 0.5 * math.exp(0.5) * 3),  # rho 1.65 is the smaller: the alpha share is left
        (3.0, 1.5, 0.0),  # rho 1.65 is above 1.28: cut by the clip
        (-3.0, -1.5, 0.0),  # rho 0.61 is below 0.8: cut by the clip
    ],
)
def test_where_the_clamp_binds_at_the_defaults(
    advantage: float, from_teacher: float, expected: float
) -> None:
    gradient, metrics = one_token(
        Rlad(), from_old=0.0, from_teacher=from_teacher, advantage=advantage
    )
    assert gradient == pytest.approx(expected, rel=1e-14, abs=0)
    assert metrics["policy/clamp_low_share"] == (1.0 if from_teacher < 0 else 0.0)
    assert metrics["policy/clamp_high_share"] == (1.0 if from_teacher > 0 else 0.0)
    assert metrics["policy/clip_low_share"] == (1.0 if advantage < 0 > from_teacher else 0.0)
    assert metrics["policy/clip_high_share"] == (1.0 if advantage > 0 < from_teacher else 0.0)


@pytest.mark.parametrize("advantage", [3.0, -3.0])
@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.75])
def test_under_a_wide_clip_every_side_of_the_clamp_leaves_the_alpha_share(
    advantage: float, side: int, alpha: float
) -> None:
    algorithm = Rlad(alpha=alpha, teacher_log_ratio_clamp=0.7, clip_low=0.99, clip_high=9.0)
    gradient, metrics = one_token(
        algorithm, from_old=0.1, from_teacher=side * 0.8, advantage=advantage
    )
    ratio = math.exp(alpha * 0.1 + (1 - alpha) * side * 0.7)
    assert gradient == pytest.approx(-alpha * ratio * advantage, rel=1e-13)
    assert metrics["policy/clamp_low_share"] + metrics["policy/clamp_high_share"] == 1.0
    assert metrics["policy/clip_low_share"] == metrics["policy/clip_high_share"] == 0.0


@pytest.mark.parametrize("from_teacher", [-0.7, 0.7])
def test_inside_the_clamp_the_whole_gradient_is_there(from_teacher: float) -> None:
    algorithm = Rlad(alpha=0.5, teacher_log_ratio_clamp=0.71, clip_low=0.9, clip_high=9.0)
    gradient, metrics = one_token(algorithm, from_old=0.2, from_teacher=from_teacher, advantage=1.0)
    assert gradient == pytest.approx(-math.exp(0.5 * 0.2 + 0.5 * from_teacher), rel=1e-14)
    assert metrics["policy/clamp_low_share"] == metrics["policy/clamp_high_share"] == 0.0


@pytest.mark.parametrize("algorithm", [Grpo(), Rlad(teacher_log_ratio_clamp=5.0)])
@pytest.mark.parametrize(
    ("advantage", "ratio", "cut"),
    [
        (2.0, 1.27, False),
        (2.0, 1.29, True),  # above the band, A > 0: the clip is the smaller
        (2.0, 0.5, False),  # below the band, A > 0: the ratio is the smaller
        (-2.0, 0.81, False),
        (-2.0, 0.79, True),  # below the band, A < 0: the clip is the smaller
        (-2.0, 1.5, False),  # above the band, A < 0: the ratio is the smaller
    ],
)
def test_each_side_of_the_clip(
    algorithm: Algorithm, advantage: float, ratio: float, cut: bool
) -> None:
    # The same distance from both anchors makes rho that ratio under any alpha.
    distance = math.log(ratio)
    gradient, metrics = one_token(
        algorithm, from_old=distance, from_teacher=distance, advantage=advantage
    )
    assert gradient == pytest.approx(0.0 if cut else -ratio * advantage, rel=1e-14, abs=0)
    assert metrics["policy/clip_low_share"] == float(cut and advantage < 0)
    assert metrics["policy/clip_high_share"] == float(cut and advantage > 0)


@pytest.mark.parametrize("ratio", [0.5, 1.5])
def test_a_token_without_advantage_counts_as_clipped_on_neither_side(ratio: float) -> None:
    gradient, metrics = one_token(Grpo(), from_old=math.log(ratio), from_teacher=0.0, advantage=0.0)
    assert gradient == 0.0
    assert metrics["policy/clip_low_share"] == metrics["policy/clip_high_share"] == 0.0


def test_drift_from_the_old_policy_can_bring_a_clamped_token_back_into_the_band() -> None:
    # lp - lt = 1.5 is clamped to 1, but lp - lo = -0.9: rho = exp(0.05) < 1.28, so with A > 0 the
    # alpha share is left even on the side that the clip cuts at lp = lo.
    gradient, _ = one_token(Rlad(), from_old=-0.9, from_teacher=1.5, advantage=1.0)
    assert gradient == pytest.approx(-0.5 * math.exp(0.05), rel=1e-14)
