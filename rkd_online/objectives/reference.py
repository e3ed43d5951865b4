"""The penalty on leaving a reference model."""

from torch import Tensor

from rkd_online.spec.algorithm import ReferencePenalty


def reference_penalty(penalty: ReferencePenalty, policy: Tensor, reference: Tensor) -> Tensor:
    """beta times an estimate by token, ``[B, T]``, of the distance of ``policy`` from
    ``reference`` (nats); to be minimized.

    With r = pi(reference) / pi(theta): k1 = -log r, k2 = (log r)^2 / 2, k3 = r - 1 - log r. All
    three estimate KL(policy || reference) on the policy's own tokens, k2 with a bias. As a loss
    their gradients are that of lp times 1 (k1), -log r (k2) and 1 - r (k3), whose means over the
    policy's tokens are 0, the gradient of KL(policy || reference), and the gradient of
    KL(reference || policy).

    Source of the values: J. Schulman, Approximating KL divergence (2020).
    """
    log_ratio = reference - policy
    if penalty.type == "k1":
        return -penalty.beta * log_ratio
    if penalty.type == "k2":
        return penalty.beta / 2 * log_ratio.square()
    return penalty.beta * (log_ratio.expm1() - log_ratio)
