"""What a completion says: whether it holds an answer, and which solution it is."""

from collections.abc import Callable, Collection
from typing import NamedTuple

from rkd_online.types import TokenIds


class Reading(NamedTuple):
    """``solution`` is the whole completion with every run of white space as one space: completions
    are different solutions where more than their spacing differs."""

    answered: bool
    solution: str


class Reader:
    """Reads completions as the job's verifier does: without their end token, with its extractor."""

    def __init__(
        self,
        decode: Callable[[list[int]], str],
        extract: Callable[[str], str | None],
        end_token_ids: Collection[int],
    ) -> None:
        self._decode = decode
        self._extract = extract
        self._end_token_ids = end_token_ids

    def __call__(self, completion_ids: TokenIds) -> Reading:
        """What a completion says."""
        ids = completion_ids.tolist()
        text = self._decode(ids[:-1] if ids and ids[-1] in self._end_token_ids else ids)
        return Reading(self._extract(text) is not None, " ".join(text.split()))
