"""Number formats of the three roles."""

from typing import Literal, TypeAlias

from rkd_online.spec.base import SpecModel

Precision: TypeAlias = Literal["float32", "bfloat16"]


class PrecisionSpec(SpecModel):
    """Format of each role's matrix products: bfloat16 is faster on GPUs and on CPUs with AMX or
    AVX512-BF16; ``sampler/mismatch_mean``, ``sampler/mismatch_max`` and ``sampler/capped_share``
    say what it costs. Log-probs and the trained weights are float32 in any case."""

    generator: Precision = "float32"
    """Weights and arithmetic of the engines that sample."""
    scorer: Precision = "float32"
    """Arithmetic of the teacher, and its weights in an engine."""
    learner: Precision = "float32"
    """Arithmetic of forward and backward passes; weights and optimizer stay in float32."""
