"""Ask a control plane whether it does its work, and with a key whether a job could run."""

import os
import sys
from pathlib import Path

import yaml

from rkd_online.client import Client


def main() -> None:
    """Exit with 1 where either is not so."""
    url, key = os.environ["RKD_URL"], os.environ.get("RKD_API_KEY", "").strip()
    with Client(url, key) as client:
        print(f"{url} is {client.ready().status}, version {client.live().version}")
        if not key:
            print("no job was validated: tests.apiKeySecretName names no key")
            return
        print(f"the key is that of {client.whoami().name}")
        verdict = client.validate(yaml.safe_load(Path(sys.argv[1]).read_text())).verdict
    print(f"the quickstart {verdict.detail}")
    if not verdict.fits:
        sys.exit("it could not run here")


if __name__ == "__main__":
    main()
