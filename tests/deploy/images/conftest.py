"""The control plane's image, built once for all tests of a session, from nothing."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.container import USER, Container, unpacked
from scripts.images import ROOT
from tests.programs import program

TAG = "test"
IMAGE = f"localhost/rkd-online-control:{TAG}"
SUITE = "bookworm"
STORAGE = """[storage]
driver = "overlay"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""
LONGEST_SECONDS = 900


@pytest.fixture(scope="session")
def storage() -> Iterator[Path]:
    """A folder with buildah's storage of its own, which no earlier build has left anything in."""
    program("buildah")
    with (
        tempfile.TemporaryDirectory(prefix="rkd-images-") as name,
        pytest.MonkeyPatch.context() as m,
    ):
        folder = Path(name)
        (folder / "storage.conf").write_text(STORAGE.format(folder=folder))
        m.setenv("CONTAINERS_STORAGE_CONF", str(folder / "storage.conf"))
        m.setenv("BUILDAH_ISOLATION", "chroot")
        yield folder
        subprocess.run(["buildah", "rm", "--all"], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def base(storage: Path) -> Path:
    """The archive of a Debian without Python."""
    archive = storage / "base.tar"
    make = [program("mmdebstrap"), "--variant=minbase", "--dpkgopt=force-unsafe-io", "--quiet"]
    subprocess.run([*make, SUITE, str(archive)], check=True, timeout=LONGEST_SECONDS)
    return archive


@pytest.fixture(scope="session")
def built(base: Path) -> str:
    """The image, made as a user makes it."""
    given = ["ENGINE=buildah", f"BASE={base}", f"TAG={TAG}", "IMAGES=control"]
    if "PIP_CERT" in os.environ:
        given.append(f"CA={os.environ['PIP_CERT']}")
    make = ["make", "images", f"PYTHON={sys.executable}", *given]
    subprocess.run(make, cwd=ROOT, check=True, timeout=LONGEST_SECONDS)
    return IMAGE


@pytest.fixture(scope="session")
def image(built: str) -> Iterator[Container]:
    """It, unpacked."""
    with unpacked(built) as container:
        yield container


@pytest.fixture
def data() -> Iterator[Path]:
    """A volume as a cluster mounts it. Others may not enter pytest's own folder."""
    with tempfile.TemporaryDirectory(prefix="rkd-volume-") as name:
        folder = Path(name)
        os.chown(folder, USER, USER)
        yield folder
