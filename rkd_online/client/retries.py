"""When a request that failed is sent again, and when that ends."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from rkd_online.client import clock
from rkd_online.client.problems import refusal
from rkd_online.errors import ServiceError

TRANSIENT: Final = frozenset({502, 503, 504})
"""A control plane is being started again, or a proxy in front of it does not reach one."""
TOO_MANY: Final = 429
BROKEN: Final = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)
"""What another try may not meet again."""
FIRST_WAIT: Final = 0.25
LONGEST_WAIT: Final = 8.0


class Retries:
    """The tries of one request. Each failure says how long to wait, or raises what it came to."""

    def __init__(self, url: str, seconds: float, *, retried: bool = True) -> None:
        """``seconds`` are those from the first try to the beginning of the last one."""
        self._url = url
        self._until = clock.now() + seconds
        self._retried = retried
        self._failures = 0

    def after_error(self, error: httpx.TransportError) -> float:
        """Seconds until the next try after no answer. Raises ServiceError at the end."""
        wait = self._wait(0.0) if isinstance(error, BROKEN) else None
        if wait is None:
            raise ServiceError(
                f"no control plane answers at {self._url} ({type(error).__name__}: {error}): start "
                "one with `rkd serve`, or name its address"
            ) from error
        return wait

    def after_answer(self, response: httpx.Response) -> float:
        """The same after an answer that is no success. Raises the refusal at the end, and at once
        where another try would be refused too."""
        asked = another_try(response)
        wait = None if asked is None else self._wait(asked)
        if wait is None:
            raise refusal(self._url, response)
        return wait

    def _wait(self, at_least: float) -> float | None:
        """Clients that failed together do not come back together."""
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2**self._failures)
        self._failures += 1
        wait = max(at_least, random.uniform(longest / 2, longest))
        return wait if self._retried and clock.now() + wait <= self._until else None


def another_try(response: httpx.Response) -> float | None:
    """The seconds that an answer asks to wait at least; None where it is final."""
    asked = retry_after(response)
    if response.status_code in TRANSIENT:
        return asked or 0.0
    return asked if response.status_code == TOO_MANY else None


def retry_after(response: httpx.Response) -> float | None:
    """The seconds that an answer asks for, which may be given as a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
