"""The template that is made for a job with plain prompts gives the job's own token ids."""

from typing import Any

import pytest
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.processors import TemplateProcessing

from rkd_online.export.template import plain_template
from rkd_online.spec.task import PlainPrompt
from rkd_online.tasks.base import Message, Problem
from rkd_online.tasks.chain_sum import ChainSum
from rkd_online.tasks.prompts import PromptRenderer
from tests.tiny_models import tiny_tokenizer


def framed(template: str) -> Any:
    """The tiny tokenizer, which begins and ends a text with special tokens."""
    made = tiny_tokenizer(chat_template=None)
    ids = [("<|im_start|>", 257), ("<|endoftext|>", 259)]
    made.backend_tokenizer.post_processor = TemplateProcessing(single=template, special_tokens=ids)
    return made


PROBLEMS = [
    ChainSum().problem("train", 0),
    Problem(
        "train",
        1,
        (Message("system", "Add {{ up }}.\n"), Message("user", " 2+2?")),
        "4",
        "d",
        "sums",
    ),
]
TOKENIZERS = {
    "nothing around": tiny_tokenizer(chat_template=None),
    "a beginning": framed("<|im_start|> $A"),
    "both ends": framed("<|im_start|> $A <|endoftext|>"),
}


@pytest.mark.parametrize("problem", PROBLEMS, ids=["one message", "two messages"])
@pytest.mark.parametrize("name", TOKENIZERS)
def test_the_template_gives_the_ids_of_the_jobs_prompt(name: str, problem: Problem) -> None:
    tokenizer = TOKENIZERS[name]
    renderer = PromptRenderer(tokenizer, PlainPrompt(type="plain"), context=200, max_new_tokens=8)
    asked = renderer.render(problem).token_ids.tolist()
    template = plain_template(tokenizer)
    assert template is not None
    messages = [{"role": one.role, "content": one.content} for one in problem.messages]
    found = tokenizer.apply_chat_template(
        messages, chat_template=template, add_generation_prompt=True, return_dict=False
    )
    assert found == asked
    text = "\n\n".join(one.content for one in problem.messages)
    ends = {"nothing around": ([], []), "a beginning": ([257], []), "both ends": ([257], [259])}
    assert len(asked) == len(text) + sum(map(len, ends[name]))


def test_where_no_template_gives_them_there_is_none() -> None:
    """A tokenizer that puts a mark before a text, but not behind its beginning token."""
    tokenizer = framed("<|im_start|> $A")
    tokenizer.backend_tokenizer.pre_tokenizer = Metaspace(replacement="x", prepend_scheme="first")
    assert tokenizer.convert_ids_to_tokens(tokenizer("3")["input_ids"]) == [
        "<|im_start|>",
        "x",
        "3",
    ]
    assert plain_template(tokenizer) is None
