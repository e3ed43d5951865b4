"""pass@1 of a bundled model on the built-in task, by plain Hugging Face generation."""

import re

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rkd_online.tasks.base import Problem
from rkd_online.tasks.chain_sum import ChainSum
from rkd_online.types import Split

MAX_NEW_TOKENS = 64
ROWS_AT_ONCE = 512


def measure(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    split: Split = "test",
    samples: int,
    seed: int,
) -> tuple[float, float]:
    """pass@1 over the whole split: sampled at temperature 1, and greedy."""
    task = ChainSum()
    problems = [task.problem(split, index) for index in range(task.size(split))]
    repeated = [problem for problem in problems for _ in range(samples)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sampled = answers(model, tokenizer, repeated, sample=True)
    greedy = answers(model, tokenizer, problems, sample=False)
    return _share_right(task, repeated, sampled), _share_right(task, problems, greedy)


def answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    problems: list[Problem],
    *,
    sample: bool,
) -> list[str]:
    """One answer for each problem, empty where the completion has none."""
    found: list[str] = []
    for start in range(0, len(problems), ROWS_AT_ONCE):
        chats = [
            [{"role": message.role, "content": message.content} for message in problem.messages]
            for problem in problems[start : start + ROWS_AT_ONCE]
        ]
        prompts = tokenizer.apply_chat_template(
            chats,
            add_generation_prompt=True,
            padding=True,
            return_dict=True,
            return_tensors="pt",
            tokenizer_kwargs={"padding_side": "left"},
        )
        sampling = {"temperature": 1.0, "top_k": 0, "top_p": 1.0} if sample else {}
        tokens = model.generate(
            **prompts, do_sample=sample, max_new_tokens=MAX_NEW_TOKENS, **sampling
        )
        completions = tokens[:, prompts["input_ids"].shape[1] :]
        texts = tokenizer.batch_decode(completions, skip_special_tokens=True)
        found += [_answer(text) for text in texts]
    return found


def _answer(completion: str) -> str:
    tags = re.findall(r"<answer>(.*?)</answer>", completion)
    return tags[-1] if tags else ""


def _share_right(task: ChainSum, problems: list[Problem], found: list[str]) -> float:
    verdicts = [task.verify(*pair) for pair in zip(problems, found, strict=True)]
    return sum(verdicts) / len(verdicts)
