"""What a job's actors do when one of them cannot start."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rkd_online.cluster.workforce import RayWorkforce
from rkd_online.errors import ModelError


class Actor:
    """A role that fails or hangs at its start."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def start(self, *setup: Any) -> None:
        if self.error is None:
            await asyncio.sleep(60)
        else:
            raise self.error


class Unready(RayWorkforce):
    """A workforce whose actors are all there, without Ray."""

    def __init__(self, learner: Actor) -> None:
        self.released = 0
        self._actors, self._generator_actors = [], []
        self._placement = SimpleNamespace(release=self._release)  # type: ignore[assignment]
        self.learners, self.scorers = [learner], []  # type: ignore[list-item]
        self.generators = [Actor(None)]  # type: ignore[list-item]

    def _release(self) -> None:
        self.released += 1


def test_a_start_that_fails_says_why_and_gives_the_room_back() -> None:
    work = Unready(Actor(ModelError("this CPU has no bfloat16")))
    with pytest.raises(ModelError, match="this CPU has no bfloat16"):
        asyncio.run(work.start(SimpleNamespace(policy=Path("policy"))))  # type: ignore[arg-type]
    assert work.released == 1
