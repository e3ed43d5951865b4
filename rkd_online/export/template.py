"""A chat template that says in a model's folder what plain prompts looked like."""

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rkd_online.models.tokenizer import Tokenizer

PROBES: Final = ("3+5=", "What is 2 + 2?\nAnswer:", " a space before", "naïve, 数")
"""Texts on which a template has to give what the tokenizer gives by itself."""


def plain_template(tokenizer: "Tokenizer") -> str | None:
    """The template of a job with plain prompts: the messages' texts with an empty line between, and
    around them the special tokens that the tokenizer adds to any text.

    None where no template gives the tokenizer's own ids, as with some that begin each text with a
    space.
    """
    before, after = _added(tokenizer)
    template = (
        f"{before}{{% for message in messages %}}{{{{ message['content'] }}}}"
        f"{{% if not loop.last %}}{_literal(chr(10) * 2)}{{% endif %}}{{% endfor %}}{after}"
    )
    return template if all(_same(tokenizer, template, text) for text in PROBES) else None


def _added(tokenizer: "Tokenizer") -> tuple[str, str]:
    """What the tokenizer puts before and behind a text, as parts of a template."""
    whole = list(tokenizer(PROBES[0])["input_ids"])
    bare = list(tokenizer(PROBES[0], add_special_tokens=False)["input_ids"])
    starts = range(len(whole) - len(bare) + 1)
    start = next((one for one in starts if whole[one : one + len(bare)] == bare), 0)
    parts = whole[:start], whole[start + len(bare) :]
    before, after = (
        "".join(_literal(str(token)) for token in tokenizer.convert_ids_to_tokens(ids))
        for ids in parts
    )
    return before, after


def _literal(text: str) -> str:
    return f"{{{{ {json.dumps(text)} }}}}"


def _same(tokenizer: "Tokenizer", template: str, text: str) -> bool:
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}],
        chat_template=template,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=False,
    )
    return list(rendered) == list(tokenizer(text)["input_ids"])
