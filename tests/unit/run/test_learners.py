"""Several ranks behind the face of one: what is raised when one of them fails."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rkd_online.errors import ClusterError, TrainingError
from rkd_online.run import learners
from rkd_online.run.learners import LearnerRanks
from rkd_online.types import Progress

START = Progress(0, 0, ())


class Rank:
    """Fails after some seconds, or not."""

    def __init__(self, error: Exception | None, seconds: float = 0.0) -> None:
        self._error = error
        self._seconds = seconds

    async def save(self, folder: Path, progress: Progress) -> None:
        await asyncio.sleep(self._seconds)
        if self._error is not None:
            raise self._error


def saved(*ranks: Any) -> None:
    """At most 5 seconds, whatever a rank waits for."""
    save = LearnerRanks(ranks).save(Path("checkpoint"), START)
    asyncio.run(asyncio.wait_for(save, timeout=5))


def test_the_death_of_a_rank_is_what_is_raised_though_its_neighbour_fails_first() -> None:
    lost = RuntimeError("Connection closed by peer")
    dead = ClusterError("save on actor rkd:job:learner:1 died: it was killed by SIGKILL")
    with pytest.raises(ClusterError, match="learner:1 died: it was killed by SIGKILL"):
        saved(Rank(lost), Rank(dead, seconds=0.1))


def test_an_error_of_a_rank_comes_where_no_rank_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learners, "DEATH_SECONDS", 0.05)
    with pytest.raises(RuntimeError, match="out of memory"):
        saved(Rank(RuntimeError("out of memory")), Rank(None, seconds=60))


def test_an_error_of_ours_comes_at_once() -> None:
    with pytest.raises(TrainingError, match="the loss is nan"):
        saved(Rank(TrainingError("the loss is nan")), Rank(ClusterError("died"), seconds=60))
