"""pass@1 of a bundled model on its held-out problems, by plain Hugging Face generation."""

from dataclasses import dataclass
from typing import Any, Final

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rkd_online.tasks.base import Problem
from rkd_online.tasks.chain_sum import ChainSum
from rkd_online.tasks.extract import answer_tag

SAMPLES: Final = 4
SEED: Final = 0
MAX_NEW_TOKENS: Final = 64
ROWS_AT_ONCE: Final = 512


@dataclass(frozen=True, slots=True)
class Figures:
    """pass@1 over the test split: ``SAMPLES`` at temperature 1 for each problem, and greedy."""

    problems: int
    sampled: float
    greedy: float


def measure(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Figures:
    """The figures of a model; the global random state is left as it was."""
    task = ChainSum()
    problems = [task.problem("test", index) for index in range(task.size("test"))]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        sampled = pass_at_1(model, tokenizer, problems * SAMPLES, sample=True)
    greedy = pass_at_1(model, tokenizer, problems, sample=False)
    return Figures(len(problems), sampled, greedy)


def pass_at_1(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    problems: list[Problem],
    *,
    sample: bool,
) -> float:
    """The share of problems answered right, with one completion each."""
    task, right = ChainSum(), 0.0
    for start in range(0, len(problems), ROWS_AT_ONCE):
        part = problems[start : start + ROWS_AT_ONCE]
        texts = _completions(model, tokenizer, part, sample=sample)
        for problem, text in zip(part, texts, strict=True):
            right += task.verify(problem, answer_tag(text) or "")
    return right / len(problems)


def _completions(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    problems: list[Problem],
    *,
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
    tokens = generate(**prompts, do_sample=sample, max_new_tokens=MAX_NEW_TOKENS, **sampling)
    new = tokens[:, prompts["input_ids"].shape[1] :]
    return tokenizer.batch_decode(new, skip_special_tokens=True)
