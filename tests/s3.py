"""An S3 API on loopback, in a process of its own.

flask leaves objects in its modules that raise when anything looks at them, as vLLM does with every
module of a process when an engine starts.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

BUCKET = "rkd"
SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
"""Tells its port, and ends with its standard input."""


@dataclass(frozen=True)
class S3:
    """A server with one bucket. ``variables`` are what a process needs to reach it."""

    variables: dict[str, str]
    address: str

    def names(self, below: str = "") -> list[str]:
        """Of all objects below a prefix."""
        pages = (
            self._client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=below)
        )
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def delete(self, name: str) -> None:
        self._client().delete_object(Bucket=BUCKET, Key=name)

    def put(self, name: str, content: bytes) -> None:
        self._client().put_object(Bucket=BUCKET, Key=name, Body=content)

    def _client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.variables["AWS_ENDPOINT_URL"],
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            region_name="us-east-1",
        )


@contextmanager
def s3_server() -> Iterator[S3]:
    """A fresh one."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    port = process.stdout.readline().strip()
    found = S3(
        {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        f"s3://{BUCKET}/some/prefix",
    )
    try:
        found._client().create_bucket(Bucket=BUCKET)
        yield found
    finally:
        process.communicate(timeout=30)
