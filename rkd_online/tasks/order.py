"""The order in which training prompts are taken."""

import random
from functools import lru_cache


class PromptOrder:
    """Epoch after epoch of all ``size`` prompts, each epoch shuffled anew.

    The cursor, the number of prompts taken before, is all the state there is: a resumed run that
    starts at its own takes what the first would have taken.
    """

    def __init__(self, size: int, seed: int) -> None:
        if size < 1:
            raise ValueError(f"an order needs at least one prompt, found {size}")
        self._size = size
        self._seed = seed

    def take(self, cursor: int, count: int) -> list[int]:
        """The ``count`` indices from ``cursor`` on, each below ``size``."""
        return [self._at(position) for position in range(cursor, cursor + count)]

    def _at(self, position: int) -> int:
        epoch, place = divmod(position, self._size)
        return _permutation(self._size, self._seed, epoch)[place]


@lru_cache(maxsize=2)
def _permutation(size: int, seed: int, epoch: int) -> tuple[int, ...]:
    indices = list(range(size))
    random.Random(f"prompts/{seed}/{epoch}").shuffle(indices)
    return tuple(indices)
