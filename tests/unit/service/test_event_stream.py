"""The event stream: every event once, in order, across broken connections."""

import asyncio
import json
from typing import Any

import pytest

from rkd_online.service import feed
from rkd_online.service.routes import events as events_route
from tests.unit.service.plane import Plane
from tests.unit.service.test_keys_api import ask, make_key

pytestmark = pytest.mark.asyncio


def messages(text: str) -> list[dict[str, str]]:
    """Independent of the server's and the client's libraries: blocks of `name: value` lines."""
    blocks = [block for block in text.replace("\r\n", "\n").split("\n\n") if block.strip()]
    lines = [[line.split(": ", 1) for line in block.split("\n")] for block in blocks]
    return [{name: value for name, value in block if name} for block in lines]


async def finished_job(plane: Plane, logs: int) -> str:
    launch = await plane.running()
    told: list[dict[str, Any]] = [
        {"number": 2 + number, "type": "log", "data": {"message": f"line {number}"}}
        for number in range(logs)
    ]
    await plane.send(launch, *told, {"number": 2 + logs, "type": "finished"})
    return launch.job_id


async def test_a_stream_has_the_events_of_the_list_then_an_end_without_id(plane: Plane) -> None:
    job_id = await finished_job(plane, logs=1)
    answer = await plane.http.get(f"/v1/jobs/{job_id}/events/stream")
    *told, end = messages(answer.text)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert [json.loads(message["data"]) for message in told] == await plane.events(job_id)
    assert [(message["id"], message["event"]) for message in told] == [
        ("1", "status"),
        ("2", "status"),
        ("3", "started"),
        ("4", "status"),
        ("5", "log"),
        ("6", "finished"),
        ("7", "status"),
    ]
    assert end == {"event": "end", "data": '{"status":"succeeded"}'}


@pytest.mark.parametrize(
    ("query", "headers", "first"),
    [
        ("?after=3", {}, "4"),
        ("", {"Last-Event-ID": "5"}, "6"),
        ("?after=1", {"Last-Event-ID": "5"}, "6"),
    ],
)
async def test_a_stream_goes_on_behind_what_was_seen(
    plane: Plane, query: str, headers: dict[str, str], first: str
) -> None:
    job_id = await finished_job(plane, logs=3)
    answer = await plane.http.get(f"/v1/jobs/{job_id}/events/stream{query}", headers=headers)
    assert messages(answer.text)[0]["id"] == first


async def test_every_cut_and_resumption_gives_each_event_once(plane: Plane) -> None:
    job_id = await finished_job(plane, logs=12)
    count = len(await plane.events(job_id))
    assert count == 18
    for cut in range(count + 1):
        seen = list(range(1, cut + 1))
        headers = {"Last-Event-ID": str(cut)} if cut else {}
        answer = await plane.http.get(f"/v1/jobs/{job_id}/events/stream", headers=headers)
        *told, end = messages(answer.text)
        seen += [int(message["id"]) for message in told]
        assert seen == list(range(1, count + 1))
        assert end["event"] == "end"


async def test_a_stream_longer_than_a_batch_has_no_gap(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "BATCH", 4)
    job_id = await finished_job(plane, logs=10)
    answer = await plane.http.get(f"/v1/jobs/{job_id}/events/stream")
    *told, _ = messages(answer.text)
    assert [int(message["id"]) for message in told] == list(range(1, 17))


async def test_readers_far_apart_have_every_event_of_one_feed(plane: Plane) -> None:
    """One from the first event on, behind what is kept; others from where they broke off."""
    launch = await plane.running()
    count = 700
    for start in range(2, count, 100):
        logs = [
            {"number": number, "type": "log", "data": {"message": str(number)}}
            for number in range(start, start + 100)
        ]
        await plane.send(launch, *logs)
    last = (await plane.http.get(f"/v1/jobs/{launch.job_id}/events?after=690&limit=1000")).json()
    total = last["data"][-1]["number"]
    reading = [
        asyncio.create_task(plane.http.get(f"/v1/jobs/{launch.job_id}/events/stream?after={after}"))
        for after in (0, 150, 699, total)
    ]
    await asyncio.sleep(0.2)
    await plane.send(launch, {"number": count + 2, "type": "finished"})
    for task, after in zip(reading, (0, 150, 699, total), strict=True):
        *told, end = messages((await task).text)
        assert [int(message["id"]) for message in told] == list(range(after + 1, total + 3))
        assert end["event"] == "end"
    assert plane.services.feeds._feeds == {}


@pytest.mark.parametrize("look_seconds", [1000.0, 0.01])
async def test_a_reader_that_waits_gets_what_is_written_by_bell_or_by_looking(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, look_seconds: float
) -> None:
    monkeypatch.setattr(feed, "LOOK_SECONDS", look_seconds)
    monkeypatch.setattr(feed, "LOOK_ALONE_SECONDS", look_seconds)
    monkeypatch.setattr(events_route, "LEAVE_SECONDS", look_seconds)
    if look_seconds < 1:
        monkeypatch.setattr(plane.services.bell, "ring", lambda job_id: None)
    launch = await plane.running()
    reading = asyncio.create_task(plane.http.get(f"/v1/jobs/{launch.job_id}/events/stream"))
    for number in range(2, 12):
        await plane.send(launch, {"number": number, "type": "log", "data": {"message": "x"}})
        await asyncio.sleep(0)
    await plane.send(launch, {"number": 12, "type": "finished"})
    *told, end = messages((await reading).text)
    assert [int(message["id"]) for message in told] == list(range(1, 17))
    assert end["data"] == '{"status":"succeeded"}'


async def test_a_stream_ends_without_an_end_when_its_key_is_revoked(plane: Plane) -> None:
    launch = await plane.running()
    key = await make_key(plane, "viewer")
    reading = asyncio.create_task(ask(plane, key, "GET", f"/v1/jobs/{launch.job_id}/events/stream"))
    await asyncio.sleep(0.1)
    assert not reading.done()
    await plane.http.delete(f"/v1/api-keys/{key.split('_')[1]}")
    async with asyncio.timeout(10):
        told = messages((await reading).text)
    assert [message["id"] for message in told] == ["1", "2", "3", "4"]


async def test_a_reader_that_is_gone_no_longer_listens(plane: Plane) -> None:
    job_id = await finished_job(plane, logs=0)
    await plane.http.get(f"/v1/jobs/{job_id}/events/stream")
    assert plane.services.bell._listeners == {}


async def test_a_page_of_events_names_where_the_next_one_begins(plane: Plane) -> None:
    job_id = await finished_job(plane, logs=0)
    first = (await plane.http.get(f"/v1/jobs/{job_id}/events?limit=4")).json()
    assert (first["has_more"], first["next"]) == (True, "4")
    rest = (await plane.http.get(f"/v1/jobs/{job_id}/events?after=4&limit=4")).json()
    assert [event["number"] for event in rest["data"]] == [5, 6]
    assert (rest["has_more"], rest["next"]) == (False, None)


async def test_two_hundred_reports_at_once_leave_no_gap_and_no_repeat(plane: Plane) -> None:
    launch = await plane.running()
    told = [
        plane.send(launch, {"number": number, "type": "log", "data": {"message": str(number)}})
        for number in range(2, 202)
    ]
    answers = await asyncio.gather(*told)
    assert {answer.status_code for answer in answers} == {200}
    page = (await plane.http.get(f"/v1/jobs/{launch.job_id}/events?limit=1000")).json()
    assert [event["number"] for event in page["data"]] == list(range(1, 205))
