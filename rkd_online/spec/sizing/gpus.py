"""What a GPU has, by its data sheet: memory, dense operations a second, bytes a second."""

from dataclasses import dataclass
from typing import Final

from rkd_online.spec.precision import Precision
from rkd_online.spec.sizing.parts import GIB


@dataclass(frozen=True, slots=True)
class Gpu:
    """``flops`` by the precision of matrix products, without sparsity. A float32 product is one in
    float32, not in TF32: torch leaves that off."""

    name: str
    memory: int
    flops: dict[Precision, float]
    bandwidth: float


def _gpu(name: str, gib: int, bfloat16: float, float32: float, bandwidth: float) -> Gpu:
    flops: dict[Precision, float] = {"bfloat16": bfloat16 * 1e12, "float32": float32 * 1e12}
    return Gpu(name, gib * GIB, flops, bandwidth * 1e12)


KNOWN: Final = {
    one.name: one
    for one in (
        _gpu("a100-40gb", 40, 312, 19.5, 1.555),
        _gpu("a100-80gb", 80, 312, 19.5, 2.039),
        _gpu("h100", 80, 989, 67, 3.35),
        _gpu("h200", 140, 989, 67, 4.8),
        _gpu("l40s", 45, 362, 91.6, 0.864),
    )
}
"""NVIDIA's data sheets of the SXM boards (the L40S has PCIe alone); memory is rounded down to what
such a board reports."""
