"""What it costs a run to be watched: steps of one job, some of them while all that Prometheus would
ask is asked, the others not."""

import math
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
"""Of each kind that count, at each interval."""
WARM_UP: Final = 5
LOOK_SECONDS: Final = 0.02
STALL_SECONDS: Final = 300.0
LIMIT: Final = 1.02
RESAMPLES: Final = 2000


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often is scraped, and how many steps of one kind follow each other. Of these the first
    does not count: scraping begins or ends within it. A block is at least ``seconds`` long, so that
    every block has its scrapes. ``times`` as many steps count as of a rhythm with 1."""

    seconds: float
    block: int
    times: int = 1

    def steps(self, counted: int) -> int:
        """How many it takes so that ``times * counted`` of each kind count."""
        return 2 * self.block * -(-self.times * counted // (self.block - 1))

    def scrapes(self, step: int) -> bool:
        """Whether a step, counted from 0, is one of those that are scraped."""
        return step // self.block % 2 == 1

    def counts(self, step: int) -> bool:
        """Whether a step was of its kind from its beginning to its end."""
        return step % self.block > 0


AS_SHIPPED: Final = Rhythm(seconds=15.0, block=21)
"""As docs/monitoring.md sets it; the chart's own interval is longer."""
WORST: Final = Rhythm(seconds=1.0, block=5, times=3)
"""As often as anybody would. The goal is for this one: steps of one kind differ by some 6 %, and
with 100 of each the ratio of their medians by 1 %, half of what the goal allows."""
RHYTHMS: Final = (AS_SHIPPED, WORST)


class Scraper:
    """Asks every target whenever its time comes, as long as it is on."""

    def __init__(self, targets: Sequence[str]) -> None:
        self.every: float | None = None
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
                asked = -math.inf
                while not self._ending.wait(LOOK_SECONDS):
                    now, every = time.monotonic(), self.every
                    if every is not None and now - asked >= every:
                        self._ask(client)
                        asked = now
        except Exception as error:
            self._error = error

    def _ask(self, client: httpx.Client) -> None:
        started = time.perf_counter()
        answers = [client.get(target).raise_for_status() for target in self._targets]
        self.seconds.append(time.perf_counter() - started)
        self.bytes = sum(len(answer.content) for answer in answers)


@dataclass(frozen=True, slots=True)
class Compared:
    """Steps at one rhythm, in seconds."""

    scraped: list[float]
    alone: list[float]

    def ratio(self, middle: Callable[[list[float]], float]) -> float:
        """How much longer the scraped ones took."""
        return middle(self.scraped) / middle(self.alone)

    def error(self, middle: Callable[[list[float]], float]) -> float:
        """Standard error of ``ratio``, by the bootstrap: steps of both kinds are drawn anew."""
        draw = random.Random(0).choices
        drawn = [
            middle(draw(self.scraped, k=len(self.scraped)))
            / middle(draw(self.alone, k=len(self.alone)))
            for _ in range(RESAMPLES)
        ]
        return statistics.stdev(drawn)


def measure(steps: int = STEPS) -> Result:
    """Both kinds compared, as often as is shipped and as often as anybody would."""
    with our_service():
        reports, scraper = _run(steps)
    shipped, worst = (compared(reports, rhythm, steps) for rhythm in RHYTHMS)
    often = f"scraped every {AS_SHIPPED.seconds:g} s"
    rows: list[Row] = [
        Goal(
            what=f"median of {len(worst.scraped)} steps scraped every second over as many not",
            value=worst.ratio(statistics.median),
            unit="x",
            bound="at most",
            limit=LIMIT,
        ),
        Figure(what="its standard error", value=worst.error(statistics.median), unit="x"),
        Figure(what="mean of the same", value=worst.ratio(statistics.mean), unit="x"),
        # A median would hardly see one scrape in twenty steps.
        Figure(what=f"mean, {often}", value=shipped.ratio(statistics.mean), unit="x"),
        Figure(what="median step, not scraped", value=statistics.median(worst.alone), unit="s"),
        Figure(what="a scrape of everything", value=statistics.median(scraper.seconds), unit="s"),
        Figure(what="what it answers", value=scraper.bytes / 1024, unit="KiB"),
    ]
    return result("scraping", "What scraping by Prometheus costs a run, bundled student", rows)


def first_step(rhythm: Rhythm, counted: int) -> int:
    """The step, counted from 1, with which a rhythm begins."""
    before = RHYTHMS[: RHYTHMS.index(rhythm)]
    return 1 + WARM_UP + sum(one.steps(counted) for one in before)


def compared(reports: Sequence[StepReport], rhythm: Rhythm, counted: int) -> Compared:
    """The steps of a rhythm that count, by kind."""
    first = first_step(rhythm, counted)
    own = {one.step - first: one.timings["step"] for one in reports}
    steps = [step for step in range(rhythm.steps(counted)) if rhythm.counts(step)]
    return Compared(
        scraped=[own[step] for step in steps if rhythm.scrapes(step)],
        alone=[own[step] for step in steps if not rhythm.scrapes(step)],
    )


def schedule(counted: int) -> list[float | None]:
    """By step, from 1, how often is scraped meanwhile."""
    intervals: list[float | None] = [None] * WARM_UP
    for rhythm in RHYTHMS:
        for step in range(rhythm.steps(counted)):
            intervals.append(rhythm.seconds if rhythm.scrapes(step) else None)
    return intervals


def _run(steps: int) -> tuple[list[StepReport], Scraper]:
    intervals = schedule(steps)
    client = Client(f"http://127.0.0.1:{PORT}")
    job = client.submit(job_spec(CASES["small"], SETTING, len(intervals))).id
    folder = RunFolder(Path(client.get(job).links.data))
    metrics = folder.attempt(1).metrics
    ended = _EndedSteps(metrics)
    _wait_for_step(client, job, ended, 1)
    scraper = Scraper(_targets(folder.path.parents[1] / "ray-token"))
    with scraper.running():
        for step, every in enumerate(intervals, start=1):
            if scraper.failed:
                break
            scraper.every = every
            _wait_for_step(client, job, ended, step)
        scraper.every = None
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


class _EndedSteps:
    """Counts the lines of a file that grows; what was counted is not read again, since looking
    must not slow down what it looks at."""

    def __init__(self, metrics: Path) -> None:
        self._metrics = metrics
        self._read = 0
        self._lines = 0

    def count(self) -> int:
        """How many there are now."""
        if self._metrics.exists() and self._metrics.stat().st_size > self._read:
            with self._metrics.open("rb") as file:
                file.seek(self._read)
                new = file.read()
            self._read += len(new)
            self._lines += new.count(b"\n")
        return self._lines


def _wait_for_step(client: Client, job: str, ended: _EndedSteps, step: int) -> None:
    end = time.monotonic() + STALL_SECONDS
    while ended.count() < step:
        if time.monotonic() >= end:
            record = client.get(job)
            why = f"it is {record.status}, {record.error or 'without an error'}"
            raise TimeoutError(f"{job} did not end step {step} within {STALL_SECONDS:g} s: {why}")
        time.sleep(LOOK_SECONDS)
