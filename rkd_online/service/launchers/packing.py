"""How many pods of each worker group a job needs, and why a pod may be too small for it."""

from collections.abc import Mapping
from math import ceil, floor

from rkd_online.errors import TooLargeError
from rkd_online.spec.job import JobSpec
from rkd_online.spec.needs import KINDS, Bundle, Role, Share, bundles, shares
from rkd_online.weights.transfer import transfer_for

ALL_IN: Role = "learner"
"""The group that holds all actors of a job whose weights travel as files."""


def replicas(spec: JobSpec, pods: Mapping[Role, Bundle]) -> dict[Role, int]:
    """Pods by group, of groups that have any. Raises TooLargeError with the arithmetic where a pod
    is too small.

    Weights that travel as files lie in one node's shared memory, so all actors go into one pod.
    """
    parts = shares(spec.resources, len(spec.courses))
    if transfer_for(spec.resources) != "file":
        return {one.role: _pods(one, pods[one.role]) for one in parts}
    _hold_all(spec, pods[ALL_IN])
    return {ALL_IN: 1}


def _pods(share: Share, pod: Bundle) -> int:
    """Pods of one group; each holds as many actors as fit by every kind."""
    wanted = {kind: amount for kind, amount in share.bundle.items() if amount}
    for kind, amount in wanted.items():
        if amount > pod[kind]:
            raise TooLargeError(
                f"a {share.role} needs {amount:g} {kind}, and a pod of the group {share.role} has "
                f"{pod[kind]:g}: lower resources.{share.role}.{_field(kind)}, or raise what that "
                "group is limited to in RKD_RAYJOB_TEMPLATE"
            )
    each = min((floor(pod[kind] / amount) for kind, amount in wanted.items()), default=share.count)
    return ceil(share.count / each)


def _hold_all(spec: JobSpec, pod: Bundle) -> None:
    for kind in KINDS:
        parts = [one.get(kind, 0.0) for one in bundles(spec.resources, len(spec.courses))]
        if sum(parts) > pod[kind]:
            raise TooLargeError(
                f"all actors of a job on {spec.resources.device} go into one pod of the group "
                f"{ALL_IN}, which has {pod[kind]:g} {kind}, and this one needs {sum(parts):g} "
                f"({' + '.join(f'{part:g}' for part in parts)} for learner ranks, scorers and "
                f"generators): lower resources.*.{_field(kind)}, or raise that group's limits in "
                "RKD_RAYJOB_TEMPLATE"
            )


def _field(kind: str) -> str:
    return f"{kind.lower()}s"
