"""Ask a control plane whether it does its work, and with a key whether a job could run.

``check.py SPEC DEVICE``: the job is validated for cpu or cuda, whichever the workers have.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from rkd_online.client import Client
from rkd_online.errors import ServiceError
from rkd_online.service.schemas.answer import Health

SECONDS = 20.0
"""Each question is asked again for so long, and may be silent for so long: the pod has the time for
all of them, and so for saying what was wrong."""
ON_GPUS = {"device": "cuda", **{role: {"gpus": 1} for role in ("generator", "scorer", "learner")}}


def main() -> None:
    """Exit with 1 and a reason where either is not so."""
    url, key = os.environ["RKD_URL"], os.environ.get("RKD_API_KEY", "").strip()
    try:
        with Client(url, key, retry_seconds=SECONDS, timeout_seconds=SECONDS) as client:
            status = wait_until_ready(client).status
            print(f"{url} is {status}, version {client.live().version}", flush=True)
            if key:
                validate(client, job(Path(sys.argv[1]), sys.argv[2]))
            else:
                print("no job was validated: tests.apiKeySecretName names no key")
    except ServiceError as error:
        sys.exit(f"the test failed: {error}")


def wait_until_ready(client: Client) -> Health:
    """What is answered; a new pod may be let through the network some time after its start."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            return client.ready()
        except ServiceError:
            if time.monotonic() >= until:
                raise
            time.sleep(1)


def job(file: Path, device: str) -> dict[str, Any]:
    """The job, for the device: one for the other would be refused."""
    spec: dict[str, Any] = yaml.safe_load(file.read_text())
    return {**spec, "resources": ON_GPUS} if device == "cuda" else spec


def validate(client: Client, spec: dict[str, Any]) -> None:
    """Exit with 1 where the job could not run."""
    print(f"the key is that of {client.whoami().name}", flush=True)
    verdict = client.validate(spec).verdict
    print(f"{spec['name']}: {verdict.detail}", flush=True)
    if not verdict.fits:
        sys.exit("it could not run here")


if __name__ == "__main__":
    main()
