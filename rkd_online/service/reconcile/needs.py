"""What a job needs of a cluster, from its spec."""

from rkd_online.spec.job import JobSpec
from rkd_online.spec.needs import Needs
from rkd_online.spec.placed import needs_on
from rkd_online.weights.transfer import transfer_for


def needs_of(spec: JobSpec, role_label: str) -> Needs:
    """A bundle for each actor; weights that travel as files lie in one node's shared memory."""
    return needs_on(
        spec.resources,
        len(spec.courses),
        one_node=transfer_for(spec.resources) == "file",
        label=role_label,
    )
