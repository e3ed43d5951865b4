"""The launcher that the settings name."""

from importlib.util import find_spec

from rkd_online.errors import ServiceError
from rkd_online.service.launchers.base import Launcher
from rkd_online.service.launchers.ray_jobs import RayJobs
from rkd_online.service.settings import Settings
from rkd_online.service.store.attempts import TokenOf


def launcher_of(settings: Settings, token_of: TokenOf) -> Launcher:
    """Raises ServiceError with what is missing."""
    if settings.launcher == "shared":
        return RayJobs(settings)
    if find_spec("lightkube") is None:
        raise ServiceError(
            "RKD_LAUNCHER=rayjob needs the package lightkube, which the base install leaves out: "
            "install the extra kubernetes of rkd-online"
        )
    from rkd_online.service.launchers.kuberay import KubeRay
    from rkd_online.service.launchers.kubernetes import Kubernetes

    return KubeRay(settings, Kubernetes.found(settings.kubernetes_namespace), token_of)
