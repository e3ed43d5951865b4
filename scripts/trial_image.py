"""The control plane's image, built from nothing in a storage of its own: for tests and benchmarks.

As root, with buildah and mmdebstrap (``make tools``).
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from scripts.images import ROOT

TAG = "trial"
IMAGE = f"localhost/rkd-online-control:{TAG}"
SUITE = "bookworm"
STORAGE = """[storage]
driver = "overlay"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""
LONGEST_SECONDS = 900


@contextmanager
def storage() -> Iterator[Path]:
    """A folder in which buildah keeps images over the block. At first there are none."""
    with tempfile.TemporaryDirectory(prefix="rkd-images-") as name:
        folder = Path(name)
        config = folder / "storage.conf"
        config.write_text(STORAGE.format(folder=folder))
        variables = {"CONTAINERS_STORAGE_CONF": str(config), "BUILDAH_ISOLATION": "chroot"}
        with patch.dict(os.environ, variables):
            yield folder
            subprocess.run(["buildah", "rm", "--all"], check=True, stdout=subprocess.DEVNULL)


def make_base(folder: Path) -> Path:
    """The archive of a Debian without Python."""
    archive = folder / "base.tar"
    make = ["mmdebstrap", "--variant=minbase", "--dpkgopt=force-unsafe-io", "--quiet"]
    subprocess.run([*make, SUITE, str(archive)], check=True, timeout=LONGEST_SECONDS)
    return archive


def build(base: Path) -> str:
    """The image's name; it is made as a user makes it."""
    given = ["ENGINE=buildah", f"BASE={base}", f"TAG={TAG}", "IMAGES=control"]
    if "PIP_CERT" in os.environ:
        given.append(f"CA={os.environ['PIP_CERT']}")
    make = ["make", "images", f"PYTHON={sys.executable}", *given]
    subprocess.run(make, cwd=ROOT, check=True, timeout=LONGEST_SECONDS)
    return IMAGE


def archive(image: str, folder: Path) -> Path:
    """The image as a file, its layers compressed as a registry has them."""
    path = folder / "image.tar"
    subprocess.run(["buildah", "push", "-q", image, f"oci-archive:{path}"], check=True)
    return path
