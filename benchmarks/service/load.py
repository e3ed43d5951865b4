"""What is asked of it: many submissions, lists of many jobs, many readers of one job."""

import asyncio
import statistics
import time
from dataclasses import dataclass
from typing import Any, Final

import httpx

from benchmarks.service.server import Served

SPEC: Final[dict[str, Any]] = {
    "version": 1,
    "name": "one-of-many",
    "policy": {"model": "zoo:chain-sum/student"},
    "teacher": {"model": "zoo:chain-sum/teacher"},
    "task": {"type": "chain_sum"},
    "algorithm": {"type": "rlad"},
    "rollout": {"max_new_tokens": 64},
    "steps": 4,
}
AT_ONCE: Final = 16
EVENTS: Final = 50
"""Written to the job while it is read: it is paused and resumed in turn."""
READ_SECONDS: Final = 120.0


def _client(served: Served, connections: int) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(
        base_url=served.url, headers=served.headers, limits=limits, timeout=60.0
    )


async def submit_many(served: Served, count: int) -> float:
    """Submissions in a second, from so many clients at once, each with a key of its own."""
    async with _client(served, AT_ONCE) as http:
        numbers = iter(range(count))

        async def work() -> None:
            for number in numbers:
                headers = {"Idempotency-Key": f"{count}-{number}"}
                answer = await http.post("/v1/jobs", json=SPEC, headers=headers)
                answer.raise_for_status()

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        return count / (time.perf_counter() - began)


async def list_seconds(served: Served, times: int) -> float:
    """Median time of one page of jobs."""
    taken = []
    async with _client(served, 1) as http:
        for _ in range(times):
            began = time.perf_counter()
            (await http.get("/v1/jobs?limit=20")).raise_for_status()
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)


@dataclass(frozen=True, slots=True)
class Read:
    """What the readers of one job had, and what they took. ``whole`` are those who had every
    event once, in order, and the end."""

    readers: int
    whole: int
    kib_each: float
    last_seconds: float


async def read_together(served: Served, readers: int) -> Read:
    """Many streams of one job, opened before its events are written, read to its end."""
    async with _client(served, readers + 2) as http:
        job = (await http.post("/v1/jobs", json=SPEC)).json()["id"]
        before = served.resident_mib()
        open_ = asyncio.Semaphore(0)
        reading = [asyncio.create_task(_read(http, job, open_)) for _ in range(readers)]
        async with asyncio.timeout(READ_SECONDS):
            for _ in range(readers):
                await open_.acquire()
        grown = served.resident_mib() - before
        for number in range(EVENTS):
            action = "resume" if number % 2 else "pause"
            (await http.post(f"/v1/jobs/{job}/{action}")).raise_for_status()
        (await http.post(f"/v1/jobs/{job}/cancel")).raise_for_status()
        ended = time.perf_counter()
        async with asyncio.timeout(READ_SECONDS):
            found = await asyncio.gather(*reading)
        last = time.perf_counter() - ended
    wanted = [*range(1, EVENTS + 3), "end"]
    whole = sum(one == wanted for one in found)
    return Read(readers, whole, grown * 1024 / readers, last)


async def _read(http: httpx.AsyncClient, job: str, open_: asyncio.Semaphore) -> list[object]:
    """The numbers of the events as they came, and ``end``."""
    seen: list[object] = []
    url = f"/v1/jobs/{job}/events/stream"
    async with http.stream("GET", url) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                seen.append(int(line.removeprefix("id: ")))
                if len(seen) == 1:
                    open_.release()
            elif line == "event: end":
                seen.append("end")
    return seen
