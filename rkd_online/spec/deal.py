"""What share of a job each part of its task gets, one group after another."""

import math
from collections.abc import Sequence
from fractions import Fraction


class Deal:
    """Deals things one by one to parts by their weights. After any number of them each part has its
    share of that number, to less than one.

    Thing k of a part with share s may be dealt from place k / s on and has to be by (k + 1) / s; of
    those that may be, the one that has to be first is next. Source: the windows of proportionate
    progress (Baruah and others 1996, Algorithmica 15), for one processor. All is a function of the
    place alone; decimal weights are taken as they are written.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        exact = [Fraction(str(weight)) for weight in weights]
        scale = math.lcm(*(one.denominator for one in exact))
        whole = [int(one * scale) for one in exact]
        self._shares = [one // math.gcd(*whole) for one in whole]
        self._round = sum(self._shares)
        """After so many things every part has exactly its share, and the deal begins anew."""
        self._dealt: list[tuple[int, int]] = []
        self._counts = [0] * len(weights)

    def at(self, place: int) -> tuple[int, int]:
        """The part that gets the thing at ``place``, and how many it got before; both from 0."""
        rounds, place = divmod(place, self._round)
        self._deal_to(place + 1)
        part, before = self._dealt[place]
        return part, rounds * self._shares[part] + before

    def counts(self, total: int) -> list[int]:
        """How many of the first ``total`` things each part gets."""
        rounds, rest = divmod(total, self._round)
        self._deal_to(rest)
        counts = [rounds * share for share in self._shares]
        for part, _ in self._dealt[:rest]:
            counts[part] += 1
        return counts

    def _deal_to(self, total: int) -> None:
        """Deal the first ``total`` things of a round."""
        while len(self._dealt) < total:
            part = self._next(len(self._dealt))
            self._dealt.append((part, self._counts[part]))
            self._counts[part] += 1

    def _next(self, place: int) -> int:
        _, part = min(
            (-(-(count + 1) * self._round // share), part)
            for part, (count, share) in enumerate(zip(self._counts, self._shares, strict=True))
            if count * self._round < (place + 1) * share
        )
        return part
