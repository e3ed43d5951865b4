"""Probes: what they answer holds for this moment, so they are not asked again."""

from dataclasses import replace

from rkd_online.client.request import Call, Request, get
from rkd_online.service.schemas.answer import Health


def get_liveness() -> Call[Health]:
    """The process answers."""
    return replace(get(Health, "/livez"), request=Request("GET", "/livez", retried=False))


def get_readiness() -> Call[Health]:
    """Requests can be sent there; a ProblemError says why not."""
    return replace(get(Health, "/readyz"), request=Request("GET", "/readyz", retried=False))
