"""A run's reports to the control plane: in order, each once, never in the way of the job."""

import json
import logging
import math
import threading
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import httpx
from pydantic import ValidationError

from rkd_online.metrics.spool import Spool
from rkd_online.spec.changes import ChangesSoFar
from rkd_online.types import StepReport

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0
RETRY_SECONDS = 2.0
BATCH = 200
"""Events in one body, at the most."""
MOST_BYTES = 1 << 20
"""A body has fewer."""
NAMED = 20
"""Events that a line of the log names, of more the first."""
TRY_AGAIN = frozenset({408, 429})
"""Refusals that pass by themselves."""


class ControlPlaneSink:
    """Writes events to a file and sends them from there, in a thread of its own. An empty batch is
    a heartbeat.

    ``fenced`` turns true when the control plane says that this attempt no longer counts,
    ``stopping`` when it asks the run to end and ``pausing`` when another attempt is to go on from
    there; ``changes`` are all that were made to the job.
    """

    def __init__(
        self, url: str, *, token: str, unsent: Path, transport: httpx.BaseTransport | None = None
    ) -> None:
        """``url`` takes the batches of one attempt; ``token`` is good for that attempt alone.
        Events wait in ``unsent``, a line each, and stay there when they were not sent in the end;
        those that are refused go to ``refused.jsonl`` beside it."""
        self.fenced = False
        self.stopping = False
        self.pausing = False
        self.changes: ChangesSoFar | None = None
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {token}"}, timeout=10.0, transport=transport
        )
        self._url = url
        self._unsent = unsent
        self._refused = unsent.with_name("refused.jsonl")
        self._spool = Spool(unsent)
        self._number = 0
        self._most = BATCH
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
        """Queue anything; what comes after ``close`` is too late."""
        with self._wake:
            if self._given_up:
                log.info("too late to be reported: %s %s", type, data)
                return
            self._number += 1
            event = {"number": self._number, "type": type, "data": data}
            line = json.dumps(event, allow_nan=False).encode()
            if len(line) > MOST_BYTES - 3:
                self._refuse(line, f"{len(line)} bytes are more than a report may have")
                return
            self._spool.add(line)
            self._wake.notify()

    def close(self, timeout: float = 30.0) -> None:
        """Send what waits, for ``timeout`` seconds at the most; the rest stays in the file."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout)
        with self._wake:
            self._given_up = True
            self._wake.notify()
            try:
                self._leave()
            except OSError as error:
                log.warning("%s cannot be put in order: %s", self._unsent, error)
        if not self._thread.is_alive():
            self._http.close()

    def _leave(self) -> None:
        """Say what stays behind."""
        waiting = len(self._spool)
        if waiting:
            first = self._spool.first(NAMED, MOST_BYTES)
            more = waiting - len(first)
            rest = f" and {more} more, up to event {self._number}" if more else ""
            log.warning(
                "%d events do not reach %s and stay in %s: %s",
                waiting, self._url, self._unsent, named(first) + rest,
            )  # fmt: skip
        self._spool.close()

    def _main(self) -> None:
        taken = True
        while self._go_on(taken):
            try:
                taken = self._send(self._next())
            except OSError as error:
                log.warning("cannot read %s: %s", self._unsent, error)
                self._send([])
                taken = False

    def _next(self) -> list[bytes]:
        """As many events as a body takes."""
        with self._wake:
            return [] if self._given_up else self._spool.first(self._most, MOST_BYTES - 2)

    def _go_on(self, taken: bool) -> bool:
        """Wait until there is something to send again, to send, or to show that the run lives."""
        with self._wake:
            if not taken:
                if not self.fenced and not self._given_up:
                    self._wake.wait(RETRY_SECONDS)
            elif not self._spool and not self._closing:
                self._wake.wait(HEARTBEAT_SECONDS)
            done = self._closing and not self._spool
            return not (done or self.fenced or self._given_up)

    def _send(self, batch: Sequence[bytes]) -> bool:
        """Whether no time need pass before the next try. A number that arrives twice is stored
        once."""
        try:
            answer = self._http.post(
                self._url,
                content=b"[" + b",".join(batch) + b"]",
                headers={"Content-Type": "application/json"},
            )
            if answer.is_success:
                self._hear(answer.json())
        except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
            log.info("the control plane did not take a report: %s", error)
            return False
        if answer.status_code in (401, 409):
            self.fenced = True
            log.warning("this attempt no longer counts: %s", answer.text)
        elif answer.is_success:
            self._most = min(2 * self._most, BATCH)
            self._drop(batch)
        elif answer.is_client_error and answer.status_code not in TRY_AGAIN:
            self._turned_down(batch, answer.text)
            return True
        return answer.is_success

    def _hear(self, receipt: Any) -> None:
        """What the control plane wants of the run."""
        status, told = receipt["status"], receipt.get("changes")
        if told is not None:
            try:
                self.changes = ChangesSoFar.model_validate(told)
            except ValidationError as error:  # of a control plane that knows more than this run
                log.error("the run goes on without changes that it cannot read: %s", error)
        self.pausing, self.stopping = status == "pausing", status == "stopping"

    def _turned_down(self, batch: Sequence[bytes], why: str) -> None:
        """Of several events one may be to blame: fewer are sent next, until it is alone."""
        if len(batch) > 1:
            self._most = len(batch) // 2
        elif batch:
            self._refuse(batch[0], why)
            self._drop(batch)
        else:
            log.error("a heartbeat is refused: %s", why)

    def _drop(self, batch: Sequence[bytes]) -> None:
        with self._wake:
            if not self._given_up:
                self._spool.drop(batch)

    def _refuse(self, line: bytes, why: str) -> None:
        """Say what the control plane does not take, and keep it."""
        log.error("%s is refused and kept in %s: %s", named([line]), self._refused, why)
        try:
            self._refused.parent.mkdir(parents=True, exist_ok=True)
            with self._refused.open("ab") as file:
                file.write(line + b"\n")
        except OSError as error:
            log.error("%s takes nothing: %s", self._refused, error)


def named(lines: Sequence[bytes]) -> str:
    """Events in a line of the log."""
    events = [json.loads(line) for line in lines]
    return ", ".join(f"event {event['number']} ({event['type']})" for event in events)
