"""A Kubernetes on loopback, and settings with which the control plane runs jobs on it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from rkd_online.service.launchers.kuberay import KubeRay
from rkd_online.service.launchers.kubernetes import Kubernetes
from rkd_online.service.settings import Settings
from tests.unit.service.kuberay.fake_kubernetes import FakeKubernetes, fake_kubernetes, kubeconfig
from tests.unit.service.plane import Clock, Plane, open_plane

TEMPLATE = Path(__file__).with_name("rayjob.yaml")


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKubernetes]:
    with fake_kubernetes() as fake:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, fake)))
        yield fake


KUBE = {
    "launcher": "rayjob",
    "rayjob_template": TEMPLATE,
    "kueue_queue": "gpus",
    "role_label": "rkd.io/role",
    "interpreter": "/opt/rkd/bin/python",
}


@pytest.fixture
def kube_settings(tmp_path: Path) -> Settings:
    """Of a launcher alone: no database is asked."""
    plain = Settings(data_dir=tmp_path / "data", ray_auth_token_path=tmp_path / "none")
    return plain.model_copy(update=KUBE)


def token_of(job_id: str, attempt: int) -> str:
    return f"s3cret-{job_id}-{attempt}"


@pytest_asyncio.fixture
async def kuberay(kube_settings: Settings, cluster: FakeKubernetes) -> AsyncIterator[KubeRay]:
    launcher = KubeRay(kube_settings, Kubernetes.found(""), token_of)
    yield launcher
    await launcher.close()


@pytest_asyncio.fixture
async def kube_plane(
    settings: Settings, cluster: FakeKubernetes, clock: Clock
) -> AsyncIterator[Plane]:
    """A control plane that launches on it, as its settings say."""
    async with open_plane(settings.model_copy(update=KUBE), clock, own=True) as plane:
        yield plane
