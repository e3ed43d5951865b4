"""How sequences and their groups did, for the methods that ask."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rkd_online.objectives.tokens import expect_shape


@dataclass(frozen=True, slots=True)
class Groups:
    """``place`` ``[B]`` is each sequence's group, from 0 to ``count`` - 1."""

    place: Tensor
    count: int

    def total(self, by_sequence: Tensor) -> Tensor:
        """The sum of ``[B]`` values over each group: ``[count]``."""
        return by_sequence.new_zeros(self.count).index_add(0, self.place, by_sequence)


class Outcomes:
    """What is known of B sequences beside their tokens. A method takes what it routes by, and a
    ``ValueError`` names what it was not given."""

    def __init__(
        self,
        method: str,
        sequences: int,
        correct: Tensor | None,
        group_ids: Tensor | None,
        group_wrong: Tensor | None,
    ) -> None:
        """All are ``[B]``; a wrong shape is a ``ValueError``."""
        self._method = method
        self._given = {"correct": correct, "group_ids": group_ids, "group_wrong": group_wrong}
        for name, values in self._given.items():
            if values is not None:
                expect_shape(name, values, (sequences,))

    @property
    def correct(self) -> Tensor:
        """bool ``[B, 1]``: whether the verifier accepts a sequence."""
        return self._needed("correct").bool().unsqueeze(1)

    @property
    def groups(self) -> Groups:
        """Which sequences are siblings."""
        ids, place = torch.unique(self._needed("group_ids"), return_inverse=True)
        return Groups(place, len(ids))

    @property
    def group_wrong(self) -> Tensor:
        """bool ``[B, 1]``: whether no sibling of a sequence is correct, itself included.

        Made of ``correct`` and ``group_ids`` unless it was given.
        """
        given = self._given["group_wrong"]
        if given is not None:
            return given.bool().unsqueeze(1)
        groups = self.groups
        solved = groups.total(self._needed("correct").bool().int())
        return (solved == 0)[groups.place].unsqueeze(1)

    def _needed(self, name: str) -> Tensor:
        values = self._given[name]
        if values is None:
            raise ValueError(f"{name} is None, but {self._method} needs it of every sequence")
        return values
