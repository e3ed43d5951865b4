"""Run one small job with the images of ``make images``: a Ray head of the CPU worker's, the control
plane of its own, both on read-only root file systems with one data folder.

``python -m scripts.trial_worker``, as root, with both images in buildah's storage. Not part of the
tests: the CPU worker's image is gigabytes, and takes many minutes to build.
"""

import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.start_up import SPEC
from rkd_online.client import Client
from rkd_online.errors import ServiceError
from scripts.container import USER, Container, end, unpacked
from scripts.images import version

PORT, DASHBOARD_PORT = "8436", "8281"
LONGEST_SECONDS = 300
RAY = (
    "ray start --head --block --num-cpus=4 --object-store-memory=200000000 --disable-usage-stats "
    f"--dashboard-port={DASHBOARD_PORT}"
)
PROBE = f"wget --tries 1 -T 5 -q -O- http://127.0.0.1:{DASHBOARD_PORT}/api/gcs_healthz"


def main() -> None:
    """Print how the job ended; exits with 1 when it did not succeed."""
    with ExitStack() as stack:
        worker = stack.enter_context(unpacked(f"localhost/rkd-online-worker-cpu:{version()}"))
        control = stack.enter_context(unpacked(f"localhost/rkd-online-control:{version()}"))
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rkd-volume-")))
        os.chown(data, USER, USER)
        told = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
        stack.enter_context(_running(worker, data, told, "/bin/bash", "-lc", RAY))
        _wait("Ray", lambda: worker.run("bash", "-c", PROBE).returncode == 0)
        told |= {"RKD_PORT": PORT, "RKD_PUBLIC_URL": f"http://127.0.0.1:{PORT}"}
        told["RKD_RAY_ADDRESS"] = f"http://127.0.0.1:{DASHBOARD_PORT}"
        stack.enter_context(_running(control, data, told, *control.entry))
        key = data / "admin-key"
        _wait("the control plane", lambda: key.is_file() and bool(key.read_text().strip()))
        sys.exit(_submit(key.read_text().strip()))


def _submit(key: str) -> int:
    client = Client(f"http://127.0.0.1:{PORT}", key)
    _wait("its API", lambda: _answers(client))
    begun = time.monotonic()
    job = client.submit(SPEC).id
    for event in client.stream(job):
        print(f"{time.monotonic() - begun:5.0f} s  {event.type} {event.data}", flush=True)
    status = client.get(job).status
    print(f"the job is {status}")
    return int(status != "succeeded")


def _answers(client: Client) -> bool:
    try:
        client.ready()
    except ServiceError:
        return False
    return True


@contextmanager
def _running(
    container: Container, data: Path, variables: dict[str, str], *words: str
) -> Iterator[None]:
    process = container.start(*words, data=data, **variables)
    try:
        yield
    finally:
        end(process)


def _wait(what: str, ready: Any) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} is not there after {LONGEST_SECONDS} s")
        time.sleep(1)


if __name__ == "__main__":
    main()
