"""How a batch is split: into optimizer batches of whole groups, and those by token budget."""

from collections.abc import Sequence

from rkd_online.errors import SpecError
from rkd_online.types import TrainingRow


def minibatches(rows: Sequence[TrainingRow], count: int) -> list[list[int]]:
    """Indices of ``count`` equal shares of whole groups, in order.

    Raises ValueError when the groups do not divide; the spec refuses such a job.
    """
    groups = list(dict.fromkeys(row.group_id for row in rows))
    if len(groups) % count:
        raise ValueError(f"{len(groups)} groups do not make {count} equal minibatches")
    size = len(groups) // count
    share = {group: place // size for place, group in enumerate(groups)}
    shares: list[list[int]] = [[] for _ in range(count)]
    for index, row in enumerate(rows):
        shares[share[row.group_id]].append(index)
    return shares


def micro_batches(lengths: Sequence[int], token_budget: int) -> list[list[int]]:
    """Indices of rows for one forward pass each, every row once.

    A micro-batch of r rows costs r times its longest row, padding included, and stays within the
    budget. Rows are taken by length, so that little is padded. Raises SpecError for a row that does
    not fit by itself.
    """
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    if order and lengths[order[-1]] > token_budget:
        raise SpecError(
            f"optimizer.micro_batch_tokens {token_budget} is below one sequence of "
            f"{lengths[order[-1]]} tokens: raise it to that at least"
        )
    packed: list[list[int]] = []
    for index in order:
        if packed and (len(packed[-1]) + 1) * lengths[index] <= token_budget:
            packed[-1].append(index)
        else:
            packed.append([index])
    return packed
