"""Every method of the catalogue with coefficients that show, and one batch that all can read."""

from typing import Any, Final

import torch
from torch import Tensor

from rkd_online.spec.algorithm import (
    Algorithm,
    Cispo,
    Grpo,
    Gspo,
    Hdpo,
    Kdrl,
    KdrlMask,
    Opd,
    Rlad,
    Rlsd,
    Sft,
    Srpo,
    Topd,
)

CLIP: Final = {"clip_low": 0.1, "clip_high": 0.3}
KINDS: Final[dict[str, Any]] = {
    "grpo": Grpo,
    "gspo": Gspo,
    "cispo": Cispo,
    "rlad": Rlad,
    "opd": Opd,
    "kdrl": Kdrl,
    "kdrl_mask": KdrlMask,
    "srpo": Srpo,
    "hdpo": Hdpo,
    "rlsd": Rlsd,
    "topd": Topd,
    "sft": Sft,
}
OPTIONS: Final[dict[str, dict[str, float]]] = {
    "grpo": CLIP,
    "gspo": {"clip_low": 0.12, "clip_high": 0.12},
    "cispo": {"clip_low": 0.2, "clip_high": 0.25},
    "rlad": CLIP | {"alpha": 0.3, "teacher_log_ratio_clamp": 0.6},
    "opd": CLIP,
    "kdrl": CLIP | {"beta": 0.7},
    "kdrl_mask": CLIP | {"beta": 0.7},
    "srpo": CLIP,
    "hdpo": CLIP | {"beta": 0.7},
    "rlsd": CLIP | {"mix": 0.6, "mix_clip": 0.4},
    "topd": CLIP | {"teacher_weight": 0.3},
    "sft": {},
}

LENGTHS: Final = [7, 3, 5, 1, 6, 4, 0, 2]
GROUPS: Final = [4, 4, 4, 9, 9, 9, 1, 1]
CORRECT: Final = [False, False, False, True, False, False, True, True]
"""The group 4 is wrong as a whole."""


def make(name: str, **fields: Any) -> Algorithm:
    """A method with its coefficients above."""
    made: Algorithm = KINDS[name](**(OPTIONS[name] | fields))
    return made


def batch(seed: int = 20260226) -> dict[str, Tensor]:
    """Eight sequences of unequal lengths in three groups, one of them empty; float64."""
    draw = torch.Generator().manual_seed(seed)

    def noise(size: float) -> Tensor:
        return size * torch.randn(8, 7, generator=draw, dtype=torch.float64)

    policy = -3 * torch.rand(8, 7, generator=draw, dtype=torch.float64)
    return {
        "policy_logprobs": policy,
        "old_logprobs": policy + noise(0.3),
        "teacher_logprobs": policy + noise(0.8),
        "importance_weights": 2 * torch.rand(8, 7, generator=draw, dtype=torch.float64),
        "advantages": torch.tensor(
            [1.3, -0.7, 0.4, 2.0, -1.9, 0.5, 1.0, -0.2], dtype=torch.float64
        ),
        "mask": torch.arange(7) < torch.tensor(LENGTHS).unsqueeze(1),
        "correct": torch.tensor(CORRECT),
        "group_ids": torch.tensor(GROUPS),
    }
