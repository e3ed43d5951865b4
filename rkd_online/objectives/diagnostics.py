"""What an update is told about itself, token by token.

Every function here returns detached ``[B, T]`` values or truths by metric name. The loss reduces
them exactly as it reduces the surrogate, so that a metric is summed over micro-batches as well.
"""

from torch import Tensor

from rkd_online.objectives.divergence import CandidateTokens
from rkd_online.objectives.surrogate import Surrogate
from rkd_online.objectives.tokens import SampledTokens, TaughtTokens
from rkd_online.spec.algorithm import Rlad

RATIO_MEAN = "policy/ratio_mean"
CLIP_LOW_SHARE = "policy/clip_low_share"
CLIP_HIGH_SHARE = "policy/clip_high_share"
CLAMP_LOW_SHARE = "policy/clamp_low_share"
CLAMP_HIGH_SHARE = "policy/clamp_high_share"
KL_OLD_K1 = "policy/kl_old_k1"
KL_OLD_K3 = "policy/kl_old_k3"
KL_TEACHER = "policy/kl_teacher"
KL_REFERENCE = "policy/kl_reference"
DIVERGENCE = "teacher/divergence"
TOP_K_MASS = "teacher/top_k_mass"
NLL = "policy/nll"

METRIC_NAMES = (
    RATIO_MEAN,
    CLIP_LOW_SHARE,
    CLIP_HIGH_SHARE,
    CLAMP_LOW_SHARE,
    CLAMP_HIGH_SHARE,
    KL_OLD_K1,
    KL_OLD_K3,
    KL_TEACHER,
    KL_REFERENCE,
    DIVERGENCE,
    TOP_K_MASS,
    NLL,
)
"""Every metric that a loss can report. The clamp's need a method that clamps, ``KL_TEACHER`` needs
teacher log-probs, ``KL_REFERENCE`` the reference's, ``DIVERGENCE`` and ``TOP_K_MASS`` a divergence
from the teacher, the others are always there."""


def surrogate_metrics(surrogate: Surrogate) -> dict[str, Tensor]:
    """The importance ratio, and where each side of the clip binds."""
    return {
        RATIO_MEAN: surrogate.ratio,
        CLIP_LOW_SHARE: surrogate.clipped_low,
        CLIP_HIGH_SHARE: surrogate.clipped_high,
    }


def policy_metrics(tokens: SampledTokens) -> dict[str, Tensor]:
    """Negative log-likelihood, and the distance (nats) from the old policy and the teacher.

    With r = pi(theta) / pi(old) on tokens that the old policy sampled, k1 = -log r and
    k3 = r - 1 - log r estimate KL(old || policy), k3 with every token at least 0. ``KL_TEACHER`` is
    lp - lt, the estimate of the reverse KL(policy || teacher) on the policy's own tokens.
    """
    policy = tokens.policy.detach()
    from_old = policy - tokens.old
    values = {NLL: -policy, KL_OLD_K1: -from_old, KL_OLD_K3: from_old.expm1() - from_old}
    if isinstance(tokens, TaughtTokens):
        values[KL_TEACHER] = policy - tokens.teacher
    return values


def reference_metrics(tokens: SampledTokens, reference: Tensor) -> dict[str, Tensor]:
    """lp - lr, the estimate of KL(policy || reference) on the policy's own tokens (nats)."""
    return {KL_REFERENCE: tokens.policy.detach() - reference}


def divergence_metrics(by_token: Tensor, candidates: CandidateTokens) -> dict[str, Tensor]:
    """The divergence (nats), and what the teacher gives to its candidates together."""
    return {DIVERGENCE: by_token.detach(), TOP_K_MASS: -candidates.teacher[..., -1].expm1()}


def clamp_metrics(algorithm: Rlad, tokens: TaughtTokens) -> dict[str, Tensor]:
    """Where each side of the clamp on the policy-to-teacher log-ratio binds."""
    bound = algorithm.teacher_log_ratio_clamp
    from_teacher = tokens.policy.detach() - tokens.teacher
    return {CLAMP_LOW_SHARE: from_teacher < -bound, CLAMP_HIGH_SHARE: from_teacher > bound}
