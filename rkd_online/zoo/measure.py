"""pass@1 of a bundled model on its held-out problems, by plain Hugging Face generation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rkd_online.tasks.base import Problem
from rkd_online.tasks.extract import answer_tag
from rkd_online.zoo.pairs import HeldOut, Pair

SAMPLES: Final = 4
SEED: Final = 0
ROWS_AT_ONCE: Final = 512
RIGHT: Final = 1.0
"""A verifier's value of a right answer; less is for a part of it, and does not count here."""


@dataclass(frozen=True, slots=True)
class Figures:
    """pass@1 over a group of test problems: ``SAMPLES`` at temperature 1 for each, and greedy."""

    group: str
    problems: int
    sampled: float
    greedy: float


def measure(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, subject: Pair
) -> list[Figures]:
    """The figures of a model by group; the global random state is left as it was."""
    return [_figures(model, tokenizer, held_out) for held_out in subject.held_out()]


def _figures(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, held_out: HeldOut
) -> Figures:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        many = replace(held_out, problems=held_out.problems * SAMPLES)
        sampled = pass_at_1(model, tokenizer, many, sample=True)
    greedy = pass_at_1(model, tokenizer, held_out, sample=False)
    return Figures(held_out.group, len(held_out.problems), sampled, greedy)


def pass_at_1(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    held_out: HeldOut,
    *,
    sample: bool,
) -> float:
    """The share of problems answered right, with one completion each."""
    right = 0
    for start in range(0, len(held_out.problems), ROWS_AT_ONCE):
        part = held_out.problems[start : start + ROWS_AT_ONCE]
        texts = _completions(model, tokenizer, part, new_tokens=held_out.new_tokens, sample=sample)
        for problem, text in zip(part, texts, strict=True):
            right += held_out.verify(problem, answer_tag(text) or "") == RIGHT
    return right / len(held_out.problems)


def _completions(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    problems: Sequence[Problem],
    *,
    new_tokens: int,
    sample: bool,
) -> list[str]:
    prompts: Any = tokenizer.apply_chat_template(
        [[{"role": m.role, "content": m.content} for m in p.messages] for p in problems],
        add_generation_prompt=True,
        padding=True,
        return_dict=True,
        return_tensors="pt",
        tokenizer_kwargs={"padding_side": "left"},
    )
    sampling = {"temperature": 1.0, "top_k": 0, "top_p": 1.0} if sample else {}
    generate: Any = model.generate
    tokens = generate(**prompts, do_sample=sample, max_new_tokens=new_tokens, **sampling)
    new = tokens[:, prompts["input_ids"].shape[1] :]
    return tokenizer.batch_decode(new, skip_special_tokens=True)
