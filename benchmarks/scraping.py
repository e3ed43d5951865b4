"""What it costs a run to be watched: steps of one job, some of them while all that Prometheus would
ask is asked every second, the others not."""

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from benchmarks.our_step import DASHBOARD_PORT, PORT, OurSetting, job_spec, our_service
from benchmarks.results import Figure, Goal, Result, Row, result
from benchmarks.step_cases import CASES
from rkd_online.client import Client
from rkd_online.metrics.sinks import read_reports
from rkd_online.run.records import RunFolder
from rkd_online.types import StepReport

SETTING: Final = OurSetting(0, 1, 2, 16_384)
STEPS: Final = 100
"""Of each kind that count."""
WARM_UP: Final = 5
BLOCK: Final = 5
"""Steps in a row of one kind. The first does not count: scraping begins or ends within it."""
EVERY_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 0.02
STALL_SECONDS: Final = 300.0
LIMIT: Final = 1.02


class Scraper:
    """Asks every target once a second, as long as it is on."""

    def __init__(self, targets: Sequence[str]) -> None:
        self.on = False
        self.seconds: list[float] = []
        self.bytes = 0
        self._targets = targets
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._scrape, name="scraper", daemon=True)
        self._error: Exception | None = None

    @property
    def failed(self) -> bool:
        """Whether a target did not answer; nothing is scraped any more."""
        return self._error is not None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Scrape in the background of the block."""
        self._thread.start()
        try:
            yield
        finally:
            self._ending.set()
            self._thread.join(timeout=STALL_SECONDS)
        if self._error is not None:
            raise self._error

    def _scrape(self) -> None:
        try:
            with httpx.Client(timeout=30) as client:
                while not self._ending.wait(EVERY_SECONDS):
                    if self.on:
                        self._ask(client)
        except Exception as error:
            self._error = error

    def _ask(self, client: httpx.Client) -> None:
        started = time.perf_counter()
        answers = [client.get(target).raise_for_status() for target in self._targets]
        self.seconds.append(time.perf_counter() - started)
        self.bytes = sum(len(answer.content) for answer in answers)


def measure(steps: int = STEPS) -> Result:
    """The medians of both kinds, and how they compare."""
    with our_service():
        reports, scraper = _run(steps)
    scraped = [one.timings["step"] for one in counted(reports, scraping=True)]
    alone = [one.timings["step"] for one in counted(reports, scraping=False)]
    watched, quiet = statistics.median(scraped), statistics.median(alone)
    rows: list[Row] = [
        Goal(
            what=f"a step scraped every second over one that is not, {len(scraped)} of each",
            value=watched / quiet,
            unit="x",
            bound="at most",
            limit=LIMIT,
        ),
        Figure(what="median step, scraped", value=watched, unit="s"),
        Figure(what="median step, not scraped", value=quiet, unit="s"),
        Figure(what="a scrape of everything", value=statistics.median(scraper.seconds), unit="s"),
        Figure(what="what it answers", value=scraper.bytes / 1024, unit="KiB"),
    ]
    return result("scraping", "What scraping by Prometheus costs a run, bundled student", rows)


def scrapes(step: int) -> bool:
    """Whether step ``step``, counted from 1, is one of those that are scraped."""
    return step > WARM_UP and (step - WARM_UP - 1) // BLOCK % 2 == 1


def counted(reports: Sequence[StepReport], *, scraping: bool) -> list[StepReport]:
    """The steps of one kind that were so from their beginning to their end."""
    return [
        one
        for one in reports
        if one.step > WARM_UP
        and scrapes(one.step) is scraping
        and (one.step - WARM_UP - 1) % BLOCK > 0
    ]


def steps_in_all(steps: int) -> int:
    """How many steps a job needs so that at least ``steps`` of each kind count."""
    blocks = -(-steps // (BLOCK - 1))
    return WARM_UP + 2 * BLOCK * blocks


def _run(steps: int) -> tuple[list[StepReport], Scraper]:
    total = steps_in_all(steps)
    client = Client(f"http://127.0.0.1:{PORT}")
    job = client.submit(job_spec(CASES["small"], SETTING, total)).id
    folder = RunFolder(Path(client.get(job).links.data))
    metrics = folder.attempt(1).metrics
    _wait_for_step(client, job, metrics, 1)
    scraper = Scraper(_targets(folder.path.parents[1] / "ray-token"))
    with scraper.running():
        for step in range(1, total + 1):
            if scraper.failed:
                break
            scraper.on = scrapes(step)
            _wait_for_step(client, job, metrics, step)
        scraper.on = False
    return read_reports([metrics]), scraper


def _targets(token: Path) -> list[str]:
    """The control plane, and what Ray tells Prometheus of itself."""
    answer = httpx.get(
        f"http://127.0.0.1:{DASHBOARD_PORT}/api/prometheus/sd",
        headers={"Authorization": f"Bearer {token.read_text()}"},
        timeout=30,
    ).raise_for_status()
    addresses = [address for group in answer.json() for address in group["targets"]]
    if not addresses:
        raise RuntimeError("Ray names nothing to scrape")
    return [f"http://{address}/metrics" for address in (f"127.0.0.1:{PORT}", *addresses)]


def _wait_for_step(client: Client, job: str, metrics: Path, step: int) -> None:
    end = time.monotonic() + STALL_SECONDS
    while not metrics.exists() or metrics.read_bytes().count(b"\n") < step:
        if time.monotonic() >= end:
            record = client.get(job)
            why = f"it is {record.status}, {record.error or 'without an error'}"
            raise TimeoutError(f"{job} did not end step {step} within {STALL_SECONDS:g} s: {why}")
        time.sleep(LOOK_SECONDS)
