"""Ask a control plane whether it does its work, and with a key whether a job could run."""

import os
import sys
from pathlib import Path

import yaml

from rkd_online.client import Client


def main() -> None:
    url, key = os.environ["RKD_URL"], os.environ.get("RKD_API_KEY", "").strip()
    with Client(url, key) as client:
        print(f"{url} is {client.ready().status}, version {client.live().version}")
        if not key:
            print("no job was validated: tests.apiKeySecretName names no key")
            return
        found = client.validate(yaml.safe_load(Path(sys.argv[1]).read_text()))
        print(f"as {client.whoami().name}: {found.verdict}")


if __name__ == "__main__":
    main()
