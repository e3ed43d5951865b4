"""Who does the work of a run: the same roles in this process or on a cluster."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rkd_online.run.roles import Generator, Learner, Scorer


class Workforce(Protocol):
    """The started workers of one attempt."""

    @property
    def generators(self) -> Sequence[Generator]:
        """The engines that sample the policy."""
        ...

    @property
    def scorers(self) -> Sequence[Sequence[Scorer]]:
        """Of each course of the job those with its teacher and its parts' rewards."""
        ...

    @property
    def learners(self) -> Sequence[Learner]:
        """The ranks that share the policy that is trained."""
        ...

    async def close_generators(self) -> None:
        """End the policy's generators, so that another model finds room."""
        ...

    async def start_generator(self, model: Path) -> Generator:
        """A generator for another model than the policy, in the place of any other; the caller
        closes it."""
        ...

    async def close(self) -> None:
        """End all workers."""
        ...
