"""How a batch is split: into optimizer batches of whole groups, and those by token budget."""

from collections.abc import Sequence

from rkd_online.errors import SpecError
from rkd_online.models.layout import Sequences, siblings
from rkd_online.types import TrainingRow


def minibatches(rows: Sequence[TrainingRow], count: int) -> list[list[int]]:
    """Indices of ``count`` shares of whole groups, in order, that differ by one group at the most.

    There are fewer where a step has fewer groups to learn from; none of them is empty.
    """
    groups = list(dict.fromkeys(row.group_id for row in rows))
    share = {group: place * count // len(groups) for place, group in enumerate(groups)}
    shares: list[list[int]] = [[] for _ in range(count)]
    for index, row in enumerate(rows):
        shares[share[row.group_id]].append(index)
    return [one for one in shares if one]


def micro_batches(
    sequences: Sequences, token_budget: int, *, packed: bool = True
) -> list[list[int]]:
    """Indices of rows for one forward pass each, every row once: a function of their lengths and of
    which prompts are equal.

    A micro-batch costs its tokens, a prompt that rows share once, and stays within the budget. Rows
    of one prompt stay together where they fit; otherwise they are split into parts, each with the
    prompt. The largest come first, each to the first micro-batch with room for it. Where rows
    cannot be ``packed``, one costs as much as the longest beside it. Raises SpecError for a row
    that does not fit by itself.
    """
    lengths = [len(completion) for _, completion in sequences]
    prompts = [len(prompt) for prompt, _ in sequences]
    for prompt, length in zip(prompts, lengths, strict=True):
        if prompt + length > token_budget:
            raise SpecError(
                f"optimizer.micro_batch_tokens {token_budget} is below one sequence of "
                f"{prompt + length} tokens ({prompt} of its prompt, {length} of its completion): "
                f"raise it to {prompt + length} at least"
            )
    if not packed:
        return _padded([sum(pair) for pair in zip(prompts, lengths, strict=True)], token_budget)
    parts: list[list[int]] = []
    for rows in siblings([prompt for prompt, _ in sequences]):
        room = token_budget - prompts[rows[0]]
        costs = [lengths[row] for row in rows]
        parts += [[rows[place] for place in places] for places in _first_fit(costs, room)]
    costs = [prompts[part[0]] + sum(lengths[row] for row in part) for part in parts]
    return [
        sorted(row for place in places for row in parts[place])
        for places in _first_fit(costs, token_budget)
    ]


def _first_fit(costs: Sequence[int], room: int) -> list[list[int]]:
    """Places of ``costs`` in bins of ``room``, by first-fit decreasing."""
    bins: list[list[int]] = []
    left: list[int] = []
    for place in sorted(range(len(costs)), key=lambda place: (-costs[place], place)):
        found = next((number for number, free in enumerate(left) if free >= costs[place]), None)
        if found is None:
            found = len(bins)
            bins.append([])
            left.append(room)
        bins[found].append(place)
        left[found] -= costs[place]
    return bins


def _padded(lengths: Sequence[int], token_budget: int) -> list[list[int]]:
    """Rows by length, so that little is padded: r rows cost r times the longest."""
    packed: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: (lengths[index], index)):
        if packed and (len(packed[-1]) + 1) * lengths[index] <= token_budget:
            packed[-1].append(index)
        else:
            packed.append([index])
    return packed
