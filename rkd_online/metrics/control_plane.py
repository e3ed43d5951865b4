"""A run's reports to the control plane: in order, each once, never in the way of the job."""

import json
import logging
import threading
import time
from collections import deque
from dataclasses import asdict

import httpx

from rkd_online.types import StepReport

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0
RETRY_SECONDS = 2.0
MOST_WAITING = 10_000
"""Reports kept while the control plane is away; older ones are then dropped and counted."""
BATCH = 200


class ControlPlaneSink:
    """Sends from a thread of its own. An empty batch is a heartbeat.

    ``fenced`` turns true when the control plane says that this attempt no longer counts, and
    ``stopping`` when it asks the run to end.
    """

    def __init__(self, url: str, *, token: str) -> None:
        """``url`` takes the batches of one attempt; ``token`` is good for that attempt alone."""
        self.fenced = False
        self.stopping = False
        self._http = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=10.0)
        self._url = url
        self._waiting: deque[dict[str, object]] = deque()
        self._number = 0
        self._dropped = 0
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._main, name="rkd-reports", daemon=True)
        self._thread.start()

    def report(self, report: StepReport) -> None:
        """Queue a step's report."""
        self.event("step", asdict(report))

    def event(self, type: str, data: dict[str, object]) -> None:
        """Queue anything."""
        with self._wake:
            self._number += 1
            self._waiting.append({"number": self._number, "type": type, "data": data})
            if len(self._waiting) > MOST_WAITING:
                self._waiting.popleft()
                self._dropped += 1
            self._wake.notify()

    def close(self, timeout: float = 30.0) -> None:
        """Send what waits, for ``timeout`` seconds at the most."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout)
        if self._waiting or self._dropped:
            log.warning(
                "%d reports never reached the control plane at %s",
                len(self._waiting) + self._dropped,
                self._url,
            )

    def _main(self) -> None:
        while not self.fenced:
            with self._wake:
                if not self._waiting and not self._closing:
                    self._wake.wait(HEARTBEAT_SECONDS)
                batch = [self._waiting[i] for i in range(min(BATCH, len(self._waiting)))]
                if self._closing and not batch:
                    return
            if self._send(batch):
                with self._wake:
                    for _ in batch:
                        self._waiting.popleft()
            else:
                time.sleep(RETRY_SECONDS)

    def _send(self, batch: list[dict[str, object]]) -> bool:
        """Whether the batch needs no further try. A number that arrives twice is stored once."""
        try:
            answer = self._http.post(
                self._url,
                content=json.dumps(batch),
                headers={"Content-Type": "application/json"},
            )
        except httpx.TransportError as error:
            log.info("the control plane did not take a report: %s", error)
            return False
        if answer.status_code in (401, 409):
            self.fenced = True
            log.warning("this attempt no longer counts: %s", answer.text)
            return False
        if answer.is_client_error:
            log.error("the control plane refuses %d reports: %s", len(batch), answer.text)
            return True
        if answer.is_success:
            self.stopping = answer.json()["status"] == "stopping"
        return answer.is_success
