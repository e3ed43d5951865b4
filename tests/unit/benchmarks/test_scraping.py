"""Which steps are scraped and which of them count, and what is scraped."""

import http.server
import statistics
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from benchmarks import scraping
from benchmarks.scraping import RHYTHMS, Compared, Rhythm, Scraper, compared, first_step, schedule
from rkd_online.types import StepReport

SLOW, QUICK = RHYTHMS


def test_blocks_of_both_kinds_take_turns() -> None:
    rhythm = Rhythm(seconds=1, block=5)
    assert [step for step in range(22) if rhythm.scrapes(step)] == [
        5,
        6,
        7,
        8,
        9,
        15,
        16,
        17,
        18,
        19,
    ]
    assert [step for step in range(12) if rhythm.counts(step)] == [1, 2, 3, 4, 6, 7, 8, 9, 11]


def test_rhythms_follow_each_other_behind_the_warm_up() -> None:
    assert (SLOW.seconds, SLOW.block) == (15, 21)
    assert (QUICK.seconds, QUICK.block) == (1, 5)
    plan = [*schedule(4)]
    assert plan[:47] == [None] * 5 + [None] * 21 + [15.0] * 21
    assert plan[47:] == ([None] * 5 + [1.0] * 5) * 3
    assert [first_step(rhythm, 4) for rhythm in RHYTHMS] == [6, 48]


@pytest.mark.parametrize(("steps", "each"), [(1, (20, 4)), (20, (20, 60)), (100, (100, 300))])
def test_a_job_has_enough_steps_of_both_kinds(steps: int, each: tuple[int, int]) -> None:
    plan = schedule(steps)
    # Each step takes as long as its number says, and a half where it is scraped.
    reports = [
        StepReport(number, number, 0, {"step": number + (0.5 if every else 0)}, {})
        for number, every in enumerate(plan, start=1)
    ]
    for rhythm, wanted in zip(RHYTHMS, each, strict=True):
        found = compared(reports, rhythm, steps)
        assert len(found.scraped) == len(found.alone) == wanted
        assert {one % 1 for one in found.scraped} == {0.5}
        assert {one % 1 for one in found.alone} == {0.0}


def test_the_ratio_is_of_scraped_steps_to_others() -> None:
    assert Compared(scraped=[3.0, 6.0, 90.0], alone=[2.0, 4.0, 5.0]).ratio(statistics.median) == 1.5


def test_the_standard_error_of_a_ratio_of_means() -> None:
    """Of n values with a standard deviation of 1 around 10: 0.1 * sqrt(2 / n) about a ratio of 1,
    here 0.01."""
    values = [9.0, 11.0] * 100
    error = Compared(scraped=values, alone=values).error(statistics.mean)
    assert error == pytest.approx(0.01, rel=0.1)


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(scraping, "LOOK_SECONDS", 0.01)

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


def test_it_scrapes_only_while_it_is_asked_to(target: str) -> None:
    scraper = Scraper([f"{target}/metrics", f"{target}/metrics"])
    with scraper.running():
        time.sleep(0.1)
        assert scraper.seconds == []
        scraper.every = 0.01
        end = time.monotonic() + 30
        while len(scraper.seconds) < 3 and time.monotonic() < end:
            time.sleep(0.01)
    assert len(scraper.seconds) >= 3
    assert scraper.bytes == 28


def test_a_target_that_does_not_answer_ends_the_measurement(target: str) -> None:
    scraper = Scraper([f"{target}/nothing"])
    scraper.every = 0.01
    with pytest.raises(httpx.HTTPStatusError, match="404"), scraper.running():
        end = time.monotonic() + 30
        while not scraper.failed and time.monotonic() < end:
            time.sleep(0.01)
