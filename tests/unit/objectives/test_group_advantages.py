"""Rewards become advantages within their group."""

import pytest
import torch

from rkd_online.objectives import group_advantages


def test_two_groups_are_normalized_apart() -> None:
    # [1, 0, 0, 1]: mean 0.5, population std 0.5. [0, 0, 0, 4]: mean 1, deviations -1, -1, -1, 3,
    # population variance (1 + 1 + 1 + 9) / 4 = 3.
    rewards = torch.tensor([1, 0, 0, 1, 0, 0, 0, 4], dtype=torch.float64)
    half = 0.5 / (0.5 + 1e-6)
    low, high = -1 / (3**0.5 + 1e-6), 3 / (3**0.5 + 1e-6)
    expected = torch.tensor([half, -half, -half, half, low, low, low, high], dtype=torch.float64)
    torch.testing.assert_close(group_advantages(rewards, 4), expected, rtol=1e-15, atol=0)


def test_epsilon_is_added_to_the_standard_deviation() -> None:
    rewards = torch.tensor([0.0, 2.0], dtype=torch.float64)
    assert group_advantages(rewards, 2, epsilon=1.0).tolist() == [-0.5, 0.5]


@pytest.mark.parametrize("reward", [0.1, 1 / 3, 0.7, -1e9])
@pytest.mark.parametrize("group_size", [1, 3, 7, 11])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_rewards_give_exactly_zero(
    reward: float, group_size: int, dtype: torch.dtype
) -> None:
    rewards = torch.full((2 * group_size,), reward, dtype=dtype)
    assert group_advantages(rewards, group_size).tolist() == [0.0] * (2 * group_size)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_float_dtypes_are_kept(dtype: torch.dtype) -> None:
    advantages = group_advantages(torch.tensor([1, 0, 1, 0], dtype=dtype), 4)
    assert advantages.dtype == dtype
    assert advantages.tolist() == pytest.approx([1, -1, 1, -1], abs=1e-5)


@pytest.mark.parametrize(
    "rewards", [[1, 0, 1, 0], [1.0, 0.0, 1.0, 0.0], torch.tensor([1, 0, 1, 0])]
)
def test_integers_and_lists_become_the_default_float(rewards: list[float] | torch.Tensor) -> None:
    advantages = group_advantages(rewards, 4)
    assert advantages.dtype == torch.float32
    assert advantages.tolist() == pytest.approx([1, -1, 1, -1], abs=1e-5)


@pytest.mark.parametrize(("count", "group_size"), [(10, 4), (3, 0), (2, 4)])
def test_ragged_groups_are_refused_with_both_numbers(count: int, group_size: int) -> None:
    with pytest.raises(ValueError, match=f"^{count} rewards do not make groups of {group_size}:"):
        group_advantages(torch.zeros(count), group_size)


def test_rewards_of_two_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^rewards has shape \[2, 4\], expected one dimension"):
        group_advantages(torch.zeros(2, 4), 4)
