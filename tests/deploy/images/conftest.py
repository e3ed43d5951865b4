"""The control plane's image, built once for all tests of a session, from nothing."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import trial_image
from scripts.container import USER, Container, unpacked
from tests.programs import needs_root, program


@pytest.fixture(scope="session")
def storage() -> Iterator[Path]:
    """The folder of buildah's storage."""
    needs_root()
    for needed in ("buildah", "mmdebstrap"):
        program(needed)
    with trial_image.storage() as folder:
        yield folder


@pytest.fixture(scope="session")
def built(storage: Path) -> str:
    """The name of the image."""
    return trial_image.build(trial_image.make_base(storage))


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
