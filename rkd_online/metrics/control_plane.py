"""A run's reports to the control plane: in order, each once, never in the way of the job."""

import json
import logging
import math
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import httpx

from rkd_online.types import StepReport

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0
RETRY_SECONDS = 2.0
MOST_WAITING = 10_000
"""Reports held in memory while the control plane is away; older ones go to the file."""
BATCH = 200
TRY_AGAIN = frozenset({408, 429})
"""Refusals that pass by themselves."""


class ControlPlaneSink:
    """Sends from a thread of its own. An empty batch is a heartbeat.

    ``fenced`` turns true when the control plane says that this attempt no longer counts, and
    ``stopping`` when it asks the run to end.
    """

    def __init__(
        self, url: str, *, token: str, unsent: Path, transport: httpx.BaseTransport | None = None
    ) -> None:
        """``url`` takes the batches of one attempt; ``token`` is good for that attempt alone.
        Whatever the control plane never took is written to ``unsent``, a line each."""
        self.fenced = False
        self.stopping = False
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {token}"}, timeout=10.0, transport=transport
        )
        self._url = url
        self._unsent = unsent
        self._waiting: deque[str] = deque()
        self._sending: list[str] = []
        self._number = 0
        self._wake = threading.Condition()
        self._closing = False
        self._given_up = False
        self._thread = threading.Thread(target=self._main, name="rkd-reports", daemon=True)
        self._thread.start()

    def report(self, report: StepReport) -> None:
        """Queue a step's report, without metrics that JSON has no number for."""
        finite = {name: value for name, value in report.metrics.items() if math.isfinite(value)}
        if len(finite) < len(report.metrics):
            left_out = sorted(set(report.metrics) - set(finite))
            log.warning("step %d is reported without %s: not finite", report.step, left_out)
        self.event("step", asdict(replace(report, metrics=finite)))

    def event(self, type: str, data: dict[str, object]) -> None:
        """Queue anything."""
        with self._wake:
            self._number += 1
            event = {"number": self._number, "type": type, "data": data}
            self._waiting.append(json.dumps(event, allow_nan=False))
            if len(self._waiting) > MOST_WAITING:
                self._keep([self._waiting.popleft()])
            self._wake.notify()

    def close(self, timeout: float = 30.0) -> None:
        """Send what waits, for ``timeout`` seconds at the most; the rest goes to the file."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout)
        with self._wake:
            self._keep([*self._sending, *self._waiting])
            self._given_up = True
            self._wake.notify()
        if not self._thread.is_alive():
            self._http.close()

    def _main(self) -> None:
        while True:
            with self._wake:
                if not self._waiting and not self._closing:
                    self._wake.wait(HEARTBEAT_SECONDS)
                if self._closing and not self._waiting:
                    return
                take = min(BATCH, len(self._waiting))
                self._sending = [self._waiting.popleft() for _ in range(take)]
            while not self._send(self._sending):
                with self._wake:
                    if self.fenced or self._given_up:
                        return
                    self._wake.wait(RETRY_SECONDS)
                    if not self._sending and (self._waiting or self._closing):
                        break  # what waits is a sign of life as well
            with self._wake:
                self._sending = []

    def _send(self, batch: Sequence[str]) -> bool:
        """Whether the batch needs no further try. A number that arrives twice is stored once."""
        try:
            answer = self._http.post(
                self._url,
                content=f"[{','.join(batch)}]",
                headers={"Content-Type": "application/json"},
            )
            if answer.is_success:
                self.stopping = answer.json()["status"] == "stopping"
        except (httpx.HTTPError, ValueError) as error:
            log.info("the control plane did not take a report: %s", error)
            return False
        if answer.status_code in (401, 409):
            self.fenced = True
            log.warning("this attempt no longer counts: %s", answer.text)
            return False
        if answer.is_client_error and answer.status_code not in TRY_AGAIN:
            log.error("the control plane refuses %d reports: %s", len(batch), answer.text)
            self._keep(batch)
            return True
        return answer.is_success

    def _keep(self, events: Sequence[str]) -> None:
        """Keep on disk what the control plane will not get."""
        if not events:
            return
        log.warning("%d reports do not reach %s: kept in %s", len(events), self._url, self._unsent)
        self._unsent.parent.mkdir(parents=True, exist_ok=True)
        with self._unsent.open("a") as file:
            file.writelines(event + "\n" for event in events)
