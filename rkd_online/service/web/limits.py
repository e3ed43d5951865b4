"""How often a key may ask, and how often an address may guess at keys."""

import time
from math import ceil
from typing import Final

from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from rkd_online.service.web.problems import ApiError

GUESSES: Final = RateLimitItemPerMinute(20)


class Limits:
    """In this process: several replicas allow as many times as much."""

    def __init__(self, requests_per_minute: int) -> None:
        """0 requests are no limit."""
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._requests = RateLimitItemPerMinute(requests_per_minute or 1)
        self._limited = requests_per_minute > 0

    def count_request(self, key_id: str) -> None:
        """Raise ApiError 429 when a key has asked too often."""
        if self._limited and not self._limiter.hit(self._requests, "requests", key_id):
            raise self._too_many(
                self._requests,
                ("requests", key_id),
                f"key {key_id} has made {self._requests.amount} requests in a minute",
            )

    def check_guesses(self, address: str) -> None:
        """Raise ApiError 429 when an address has shown too many wrong keys."""
        if not self._limiter.test(GUESSES, "guesses", address):
            raise self._too_many(
                GUESSES,
                ("guesses", address),
                f"{GUESSES.amount} wrong keys in a minute have come from {address}",
            )

    def count_guess(self, address: str) -> None:
        """A wrong key came from an address."""
        self._limiter.hit(GUESSES, "guesses", address)

    def _too_many(
        self, item: RateLimitItemPerMinute, names: tuple[str, str], detail: str
    ) -> ApiError:
        reset, _ = self._limiter.get_window_stats(item, *names)
        wait = max(1, ceil(reset - time.time()))
        return ApiError(
            429,
            "too_many_requests",
            f"{detail}: wait {wait} s",
            headers={"Retry-After": str(wait)},
        )


def address_of(request: Request) -> str:
    """The peer's address, as the server sees it: behind a proxy that is trusted, the client's."""
    return request.client.host if request.client else "unknown"
