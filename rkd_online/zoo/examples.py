"""Batches of training examples: what is shown, and what of it is learned."""

from typing import Any, Final

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from rkd_online.zoo.lessons import Lessons
from rkd_online.zoo.tokenizer import END

IGNORED: Final = -100
"""The label of tokens that are not learned: the prompt and the padding."""


class Examples:
    """Lessons as tokens. So many batches as ``alike`` says are drawn together and dealt by length:
    those of one batch are then alike, and little is padded."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, lessons: Lessons, *, alike: int = 1
    ) -> None:
        self._tokenizer = tokenizer
        self._lessons = lessons
        self._alike = alike
        self._drawn: list[tuple[list[int], list[int]]] = []

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Token ids and labels, ``[size, longest]``, padded on the right."""
        if not self._drawn:
            self._drawn = [self._example() for _ in range(size * self._alike)]
            if self._alike > 1:
                self._drawn.sort(key=lambda one: len(one[0]))
        rows, self._drawn = self._drawn[:size], self._drawn[size:]
        longest = max(len(ids) for ids, _ in rows)
        ids = torch.full((size, longest), self._tokenizer.pad_token_id)
        labels = torch.full((size, longest), IGNORED)
        for row, (tokens, learned) in enumerate(rows):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            labels[row, : len(tokens)] = torch.tensor(learned)
        return ids, labels

    def skip(self, count: int) -> None:
        """Go on as if so many examples had been taken."""
        self._lessons.skip(count)

    def _example(self) -> tuple[list[int], list[int]]:
        """Tokens and labels."""
        lesson = self._lessons.next()
        prompt: Any = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": lesson.problem}],
            add_generation_prompt=True,
            return_dict=False,
        )
        ids, labels = list(prompt), [IGNORED] * len(prompt)
        for text, learned in (*lesson.solution, (END, True)):
            piece = self._tokenizer.encode(text)
            ids += piece
            labels += piece if learned else [IGNORED] * len(piece)
        return ids, labels
