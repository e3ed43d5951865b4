"""Which steps are scraped and which of them count, and what is scraped."""

import http.server
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from benchmarks import scraping
from benchmarks.scraping import BLOCK, WARM_UP, Scraper, counted, scrapes, steps_in_all
from rkd_online.types import StepReport


def test_blocks_of_both_kinds_take_turns_behind_the_warm_up() -> None:
    assert (WARM_UP, BLOCK) == (5, 5)
    assert [step for step in range(1, 28) if scrapes(step)] == [
        11,
        12,
        13,
        14,
        15,
        21,
        22,
        23,
        24,
        25,
    ]


def test_the_first_step_of_a_block_does_not_count() -> None:
    reports = [StepReport(step, step, 0, {"step": 1.0}, {}) for step in range(1, 26)]
    assert [one.step for one in counted(reports, scraping=True)] == [12, 13, 14, 15, 22, 23, 24, 25]
    assert [one.step for one in counted(reports, scraping=False)] == [7, 8, 9, 10, 17, 18, 19, 20]


@pytest.mark.parametrize(
    ("steps", "total", "each"), [(1, 15, 4), (4, 15, 4), (5, 25, 8), (100, 255, 100)]
)
def test_a_job_has_enough_steps_of_both_kinds(steps: int, total: int, each: int) -> None:
    assert steps_in_all(steps) == total
    reports = [StepReport(step, step, 0, {}, {}) for step in range(1, total + 1)]
    assert len(counted(reports, scraping=True)) == len(counted(reports, scraping=False)) == each


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(scraping, "EVERY_SECONDS", 0.01)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/metrics" else 404)
            self.end_headers()
            self.wfile.write(b"rkd_streams 0\n")

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_it_scrapes_only_while_it_is_on(target: str) -> None:
    scraper = Scraper([f"{target}/metrics", f"{target}/metrics"])
    with scraper.running():
        time.sleep(0.1)
        assert scraper.seconds == []
        scraper.on = True
        end = time.monotonic() + 30
        while len(scraper.seconds) < 3 and time.monotonic() < end:
            time.sleep(0.01)
    assert len(scraper.seconds) >= 3
    assert scraper.bytes == 28


def test_a_target_that_does_not_answer_ends_the_measurement(target: str) -> None:
    scraper = Scraper([f"{target}/nothing"])
    scraper.on = True
    with pytest.raises(httpx.HTTPStatusError, match="404"), scraper.running():
        end = time.monotonic() + 30
        while not scraper.failed and time.monotonic() < end:
            time.sleep(0.01)
