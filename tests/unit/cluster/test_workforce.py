"""What a job's actors do when one of them cannot start."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rkd_online.cluster.workforce import RayWorkforce
from rkd_online.errors import ModelError
from rkd_online.spec.load import parse_spec
from tests.unit.spec.mixed import mixed, part


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
    setup = SimpleNamespace(policy=Path("policy"), spec=SimpleNamespace(courses=()))
    with pytest.raises(ModelError, match="this CPU has no bfloat16"):
        asyncio.run(work.start(setup))  # type: ignore[arg-type]
    assert work.released == 1


class Placed(RayWorkforce):
    """Actors that only know their names and bundles."""

    def __init__(self, **spec: Any) -> None:
        self.placed: dict[str, int] = {}
        placement: Any = SimpleNamespace()
        super().__init__("job", parse_spec(spec), placement)

    def _actor(self, shell: Any, role: str, index: int, bundle: int) -> tuple[Any, str, float]:
        name = f"{role}:{index}"
        self.placed[name] = bundle
        actor = SimpleNamespace(warm=SimpleNamespace(remote=lambda: None))
        self._actors.append(actor)
        return actor, name, 1.0


def test_each_actor_has_a_bundle_of_its_own_and_scorers_their_teachers_name() -> None:
    student = {"model": "zoo:chain-sum/student"}
    resources = {"learner": {"ranks": 2}, "scorer": {"count": 2}, "generator": {"count": 2}}
    two = mixed(part("a"), part("b", teacher=student), part("c"), resources=resources)
    assert Placed(**two).placed == {
        "learner:0": 0,
        "learner:1": 1,
        "scorer:a+c:0": 2,
        "scorer:a+c:1": 3,
        "scorer:b:0": 4,
        "scorer:b:1": 5,
        "generator:0": 6,
        "generator:1": 7,
    }
    assert set(Placed(**mixed(part("a"), part("b"))).placed) == {
        "generator:0",
        "scorer:0",
        "learner:0",
    }
