"""The fixed probe: a short token sequence whose log-probs tell which weights an engine runs.

A digest of the pushed tensors cannot tell: an engine can hold the right tensors and compute with
an old packed copy. Log-probs cannot be wrong unnoticed.
"""

from collections.abc import Sequence
from typing import Final

from rkd_online.errors import WeightSyncError
from rkd_online.spec.precision import Precision
from rkd_online.types import Logprobs, TokenIds, WeightVersion, token_ids

PROBE_TOLERANCE: Final[dict[Precision, float]] = {"float32": 1e-4, "bfloat16": 0.5}
"""Largest difference in nats of an engine of this precision from the learner in float32. In
bfloat16 log-probs are off by tenths of a nat whatever the weights: what is seen there is an engine
that computes with the weights of another model, not one that lags an update behind."""

PROBE_LENGTH = 48
_MULTIPLIER, _INCREMENT, _MODULUS = 1_103_515_245, 12_345, 2**31


def probe_ids(vocabulary: int, context: int) -> TokenIds:
    """Token ids spread over the whole vocabulary by a linear congruential generator."""
    state, ids = 1, []
    for _ in range(min(PROBE_LENGTH, context - 1)):
        state = (state * _MULTIPLIER + _INCREMENT) % _MODULUS
        ids.append(state * vocabulary // _MODULUS)
    return token_ids(ids)


def check_probe(
    version: WeightVersion,
    learner: Logprobs,
    generators: Sequence[Logprobs],
    precision: Precision = "float32",
) -> float:
    """The largest difference over all generators, in nats.

    Raises WeightSyncError naming the first generator that is off by more than the tolerance.
    """
    worst, tolerance = 0.0, PROBE_TOLERANCE[precision]
    for index, generator in enumerate(generators):
        differences = [abs(a - b) for a, b in zip(learner, generator, strict=True)]
        difference = max(differences)
        # A NaN compares false with everything, so it must fail here rather than hide in max().
        if not all(value <= tolerance for value in differences):
            raise WeightSyncError(
                f"weight version {version} is not accepted: on the fixed probe generator {index} "
                f"differs from the learner by {difference:.3g} nats, more than "
                f"{tolerance:g}; the engine does not compute with the weights published"
            )
        worst = max(worst, difference)
    return worst
