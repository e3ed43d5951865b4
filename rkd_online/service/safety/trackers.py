"""Which tracking servers a job may name: those that the administrator named, by their names."""

import re
from collections.abc import Collection, Iterator
from typing import Final
from urllib.parse import urlsplit

from rkd_online.spec.invalid import suggestion
from rkd_online.spec.job import JobSpec
from rkd_online.spec.trackers import ENDPOINT, MlflowTracker

_NAME: Final = re.compile(ENDPOINT)


def server_problem(name: str, address: str) -> str | None:
    """What is wrong with a server of the settings."""
    if not _NAME.fullmatch(name):
        return f"{name!r} should be a name of lower-case letters, digits and dashes, 40 at most"
    try:
        parts = urlsplit(address)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        return f"{name}: {address!r} should be an address such as http://mlflow:5000"
    if parts.username is not None or parts.query or parts.fragment:
        return (
            f"{name}: an address has no credentials, no ? and no # in it: set "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD on the cluster instead"
        )
    return None


def tracker_problems(spec: JobSpec, allowed: Collection[str]) -> Iterator[str]:
    """One line for each tracker that names another server."""
    for number, one in enumerate(spec.trackers):
        if isinstance(one, MlflowTracker) and one.endpoint not in allowed:
            there = f"allowed: {', '.join(allowed)}" if allowed else "there are none"
            yield (
                f"trackers.{number}.endpoint: {one.endpoint!r} is no tracking server of this "
                f"control plane{suggestion(one.endpoint, allowed)} ({there}); only the "
                "administrator can name one (RKD_TRACKERS)"
            )
