"""Whether this process is about to end: it takes no new work then, and streams close."""

import asyncio


class Drain:
    """Set once, at SIGTERM."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    @property
    def leaving(self) -> bool:
        """Whether the end has been asked for."""
        return self._begun.is_set()

    def begin(self) -> None:
        """The end is asked for."""
        self._begun.set()
