"""An S3 API on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "rkd"


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
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    found = S3(
        {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
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
        server.stop()
