"""What is kept of actors' logs; Ray itself is not started."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray.util.state.exception import RayStateApiException

from rkd_online import log_end
from rkd_online.cluster import logs
from rkd_online.cluster.logs import keep_logs


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[bytes]]:
    """The chunks of each actor's log, by its id and stream."""
    chunks: dict[str, list[bytes]] = {}

    def get_log(*, actor_id: str, suffix: str, **given: Any) -> Iterator[bytes]:
        assert given["encoding"] is None
        if f"{actor_id} {suffix}" not in chunks:
            raise RayStateApiException("there is no such log")
        yield from chunks[f"{actor_id} {suffix}"]

    monkeypatch.setattr(logs, "get_log", get_log)
    return chunks


def kept(tmp_path: Path) -> dict[str, str]:
    asyncio.run(keep_logs(tmp_path / "logs", {"scorer:a+b:0": "df81"}))
    return {file.name: file.read_text() for file in (tmp_path / "logs").iterdir()}


def test_rays_marks_and_colours_are_not_kept(said: dict[str, list[bytes]], tmp_path: Path) -> None:
    said["df81 err"] = [
        b":job_id:02000000\n:actor_name:Scor", b"erActor\n\x1b[1;3", b"6mINFO\x1b[0m caf\xc3",
        b"\xa9\n\xff:job_id: in a line\n",
    ]  # fmt: skip
    assert kept(tmp_path) == {"scorer.a+b.0.err": "INFO caf\u00e9\n\ufffd:job_id: in a line\n"}


def test_of_endless_lines_the_end_is_kept(
    said: dict[str, list[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_end, "MOST_BYTES", 10)
    said["df81 err"] = [b"x" * 1000, b"\nabc\n", b"de\n"]
    said["df81 out"] = [b"0123456789", b"abcdef"]
    assert kept(tmp_path) == {"scorer.a+b.0.err": "abc\nde\n", "scorer.a+b.0.out": "6789abcdef"}
