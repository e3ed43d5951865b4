"""Training examples: sums of the train split with their traces, some of them corrupted."""

import random
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from rkd_online.tasks.chain_sum import FEWEST_TERMS, MOST_TERMS, question, sums, trace
from rkd_online.zoo.tokenizer import END

IGNORED: Final = -100
"""The label of tokens that are not learned: the prompt and the padding."""

LARGEST_SLIP: Final = 3


def unreliable_add(share: float, chance: random.Random) -> Callable[[int, int], int]:
    """Addition whose result is off by 1 to ``LARGEST_SLIP`` in this share of cases."""

    def add(total: int, term: int) -> int:
        right = total + term
        if chance.random() >= share:
            return right
        near = range(max(0, right - LARGEST_SLIP), right + LARGEST_SLIP + 1)
        return chance.choice([wrong for wrong in near if wrong != right])

    return add


class Examples:
    """Batches drawn at random from the train split, every number of terms as often."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, corrupted: float, seed: int) -> None:
        self._tokenizer = tokenizer
        self._chance = random.Random(seed)
        self._add = unreliable_add(corrupted, self._chance)
        self._pools = [sums("train", k, k) for k in range(FEWEST_TERMS, MOST_TERMS + 1)]

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Token ids and labels, ``[size, longest]``, padded on the right."""
        pairs = [self._example() for _ in range(size)]
        longest = max(len(prompt) + len(completion) for prompt, completion in pairs)
        ids = torch.full((size, longest), self._tokenizer.pad_token_id)
        labels = torch.full((size, longest), IGNORED)
        for row, (prompt, completion) in enumerate(pairs):
            end = len(prompt) + len(completion)
            ids[row, :end] = torch.tensor(prompt + completion)
            labels[row, len(prompt) : end] = torch.tensor(completion)
        return ids, labels

    def _example(self) -> tuple[list[int], list[int]]:
        terms = self._chance.choice(self._chance.choice(self._pools))
        prompt: Any = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": question(terms)}],
            add_generation_prompt=True,
            return_dict=False,
        )
        completion = self._tokenizer.encode(trace(terms, self._add) + END)
        return prompt, completion
