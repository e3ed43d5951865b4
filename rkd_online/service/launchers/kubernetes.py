"""Kubernetes' API: RayJobs, their Secrets, logs of their pods. Its errors say what to do."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx2
from lightkube import AsyncClient, ConfigError, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.core_v1 import Pod, Secret

from rkd_online.errors import ServiceError
from rkd_online.service.launchers.base import LauncherRefused, LauncherUnavailable

RayJob: Any = create_namespaced_resource("ray.io", "v1", "RayJob", "rayjobs")
TIMEOUT: Final = httpx2.Timeout(15.0, connect=5.0)
PASSING: Final = (408, 429)
"""Answers that another try may not meet, beside those of a server in trouble."""


class Kubernetes:
    """Calls in one namespace. Each has a timeout and raises a `LauncherError`."""

    def __init__(self, config: KubeConfig, namespace: str) -> None:
        # The overloads of its methods know no kind that is made at run time.
        self._client: Any = AsyncClient(config, namespace=namespace or None, timeout=TIMEOUT)
        self._server = self._client.config.cluster.server
        self.namespace: str = self._client.namespace

    @classmethod
    def found(cls, namespace: str) -> "Kubernetes":
        """With the pod's service account, or else a kubeconfig. Raises ServiceError where there is
        neither."""
        try:
            return cls(KubeConfig.from_env(), namespace)
        except (ConfigError, KeyError, OSError) as error:
            raise ServiceError(
                f"RKD_LAUNCHER=rayjob finds no credentials for Kubernetes ({error}): run in a pod "
                "with a service account, or set KUBECONFIG to a file"
            ) from error

    async def rayjob(self, name: str) -> dict[str, Any] | None:
        """A RayJob; None where there is none."""
        with self._asking("get", "rayjobs.ray.io", name):
            try:
                found: dict[str, Any] = await self._client.get(RayJob, name)
            except httpx2.HTTPStatusError as error:
                if error.response.status_code == 404:
                    return None
                raise
        return found

    async def create_rayjob(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """The RayJob of this name as it is now, made by this call or by an earlier one."""
        name = manifest["metadata"]["name"]
        with self._asking("create", "rayjobs.ray.io", name):
            try:
                made: dict[str, Any] = await self._client.create(RayJob(manifest))
            except httpx2.HTTPStatusError as error:
                if error.response.status_code != 409:
                    raise
                made = {}
        found = made or await self.rayjob(name)
        if found is None:
            raise LauncherUnavailable(f"the RayJob {name} was there and is gone: asked too early")
        return found

    async def delete_rayjob(self, name: str) -> None:
        """Delete a RayJob; one that is gone stays so."""
        with self._asking("delete", "rayjobs.ray.io", name):
            try:
                await self._client.delete(RayJob, name)
            except httpx2.HTTPStatusError as error:
                if error.response.status_code != 404:
                    raise

    async def create_secret(self, manifest: Mapping[str, Any]) -> None:
        """Make a Secret; one that is there stays as it is."""
        name = manifest["metadata"]["name"]
        with self._asking("create", "secrets", name):
            try:
                await self._client.create(Secret.from_dict(dict(manifest)))
            except httpx2.HTTPStatusError as error:
                if error.response.status_code != 409:
                    raise

    async def pods(self, labels: dict[str, str]) -> list[tuple[str, list[str]]]:
        """The pods with all of these labels, with the names of their containers, oldest first."""
        with self._asking("list", "pods", ""):
            found = [pod async for pod in self._client.list(Pod, labels=labels)]
        found.sort(key=lambda pod: str(pod.metadata.creationTimestamp))
        return [(pod.metadata.name, [one.name for one in pod.spec.containers]) for pod in found]

    async def log_end(self, pod: str, container: str, lines: int) -> str:
        """The last lines of a container's log."""
        with self._asking("get", "pods/log", pod):
            read = self._client.log(pod, container=container, tail_lines=lines)
            return "".join([line async for line in read])

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @contextmanager
    def _asking(self, verb: str, resource: str, name: str) -> Iterator[None]:
        """Turns what the client raises into a `LauncherError`."""
        try:
            yield
        except httpx2.HTTPStatusError as error:
            raise self._refusal(error, verb, resource, name) from error
        except httpx2.TransportError as error:
            raise LauncherUnavailable(
                f"Kubernetes is not reachable at {self._server} ({type(error).__name__}: {error})"
            ) from error
        except ConfigError as error:
            raise LauncherUnavailable(f"Kubernetes at {self._server}: {error}") from error

    def _refusal(
        self, error: httpx2.HTTPStatusError, verb: str, resource: str, name: str
    ) -> LauncherRefused | LauncherUnavailable:
        code = error.response.status_code
        said = f"Kubernetes answered {code} to {verb} {resource} {name}".rstrip()
        said = f"{said} in the namespace {self.namespace}: {_message(error.response)}"
        if code >= 500 or code in PASSING:
            return LauncherUnavailable(said)
        advice = {
            401: "give the control plane a service account whose token this cluster takes",
            403: f"have its Role allow {verb} on {resource}, or see the quota that is named",
            404: "install KubeRay, whose kind this is, or set RKD_KUBERNETES_NAMESPACE",
            422: "change RKD_RAYJOB_TEMPLATE in the field that is named",
        }.get(code, "")
        return LauncherRefused(f"{said}; {advice}" if advice else said)


def _message(answer: httpx2.Response) -> str:
    """Kubernetes' own words; a proxy before it may answer in others."""
    try:
        status = answer.json()
    except ValueError:
        status = None
    if isinstance(status, dict) and status.get("message"):
        return str(status["message"])
    return (answer.text.strip().splitlines() or ["no text"])[0]
