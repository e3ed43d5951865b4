"""What a body may be, before anything parses it."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from rkd_online.service.web.body import MOST_BYTES, depth
from tests.unit.service.plane import SPEC, Plane

pytestmark = pytest.mark.asyncio

JSON = {"Content-Type": "application/json"}


async def post(plane: Plane, content: bytes) -> httpx.Response:
    return await plane.http.post("/v1/jobs", content=content, headers=JSON)


async def test_a_body_of_a_mebibyte_is_read_and_one_of_more_is_not(plane: Plane) -> None:
    spec = json.dumps(SPEC).encode()
    padded = spec + b" " * (MOST_BYTES - len(spec))
    assert (await post(plane, padded)).status_code == 201
    answer = await post(plane, padded + b" ")
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_body_without_a_length_is_cut_off_where_it_is_too_long(plane: Plane) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MOST_BYTES:
            sent += 65_536
            yield b" " * 65_536

    answer = await plane.http.post("/v1/jobs", content=endless(), headers=JSON)
    assert answer.status_code == 413
    assert sent <= MOST_BYTES + 2 * 65_536


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[" * 65 + b"]" * 65, "it nests 65 deep, and 64 is the most"),
        (b'{"a":' * 200_000, "it nests 200000 deep"),
        (b'{"name": "\xff"}', "it is not UTF-8"),
        (b'{"steps": Infinity}', "Infinity is not a number in JSON"),
        (b"{", "the body is not JSON"),
    ],
)
async def test_what_cannot_be_parsed_safely_is_refused(
    plane: Plane, body: bytes, words: str
) -> None:
    answer = await post(plane, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert words in answer.json()["detail"]


async def test_brackets_in_strings_are_no_depth() -> None:
    assert depth(b'{"a": "[[[[", "b": [1, {"c": "\\"]"}]}') == 3
    assert depth(b'"' + b"[" * 1000 + b'"') == 0


@pytest.mark.parametrize("body", [b"nonsense", b"[" * 100_000, b"\xff\xfe", b"NaN"])
async def test_a_body_that_nobody_reads_is_parsed_no_less_safely_for_its_key(
    plane: Plane, body: bytes
) -> None:
    """Actions take no body; the idempotency key is for the whole request all the same."""
    job_id = await plane.submit()
    headers = JSON | {"Idempotency-Key": "one"}
    answer = await plane.http.post(f"/v1/jobs/{job_id}/pause", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert (await plane.job(job_id))["status"] == "queued"


async def test_what_is_wrong_with_parameters_and_body_is_told_together(plane: Plane) -> None:
    job_id = await plane.submit()
    answer = await plane.http.patch(
        f"/v1/jobs/{job_id}", json={"learning_rate": -1}, headers={"If-Match": "x" * 201}
    )
    fields = [error["field"] for error in answer.json()["errors"]]
    assert fields == ["if-match", "learning_rate"]
