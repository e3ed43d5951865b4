"""Tokenizers as transformers loads them."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from transformers import PreTrainedTokenizerBase

from rkd_online.errors import ModelError
from rkd_online.models.folder import unreadable
from rkd_online.spec.model_files import read_json
from rkd_online.spec.tokenizer_files import ROLES, map_difference, template_difference

Tokenizer: TypeAlias = PreTrainedTokenizerBase

PLAIN: Final = "TokenizersBackend"
"""The class of a tokenizer that is what its ``tokenizer.json`` says."""


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a model folder; code that a folder brings along is never run."""
    try:
        tokenizer = _loader(folder).from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise unreadable("load the tokenizer", folder, error) from error
    assert isinstance(tokenizer, PreTrainedTokenizerBase)
    return tokenizer


def _loader(folder: Path) -> Any:
    """transformers' own choice, by its class where the folder names the plain one: to choose, it
    imports torch and every model's configuration, which takes many seconds."""
    config = folder / "tokenizer_config.json"
    if (
        config.is_file()
        and (folder / "tokenizer.json").is_file()
        and read_json(config).get("tokenizer_class") == PLAIN
    ):
        from transformers import TokenizersBackend

        return TokenizersBackend
    from transformers import AutoTokenizer

    return AutoTokenizer


def decoder(tokenizer: Tokenizer) -> Callable[[list[int]], str]:
    """Token ids to text, special tokens included: an answer's tags may be such tokens."""

    def decode(token_ids: list[int]) -> str:
        text = tokenizer.decode(token_ids)
        assert isinstance(text, str)
        return text

    return decode


def end_token_ids(folder: Path, tokenizer: Tokenizer) -> tuple[int, ...]:
    """Every token that ends a completion, ascending: the tokenizer's end token and those of
    ``generation_config.json``."""
    found: set[int] = set()
    if tokenizer.eos_token_id is not None:
        found.add(tokenizer.eos_token_id)
    if (folder / "generation_config.json").is_file():
        listed = read_json(folder / "generation_config.json").get("eos_token_id")
        found |= {listed} if isinstance(listed, int) else set(listed or ())
    if not found:
        raise ModelError(
            f"{folder} names no end token: set eos_token in tokenizer_config.json or eos_token_id "
            "in generation_config.json"
        )
    return tuple(sorted(found))


def check_same_tokenizer(policy: Tokenizer, teacher: Tokenizer, *, chat: bool = True) -> None:
    """Raise ModelError, naming the first differences, unless both mean the same by every token id.

    The chat template counts only where prompts go through it (``chat``).
    """
    found = [
        *map_difference("token", policy.get_vocab(), teacher.get_vocab()),
        *map_difference("special token", _special(policy), _special(teacher)),
    ]
    for role in ROLES:
        ours, theirs = getattr(policy, role), getattr(teacher, role)
        if ours != theirs:
            found.append(f"{role} is {ours!r} in the policy, {theirs!r} here")
    if chat:
        found += template_difference(_template(policy), _template(teacher))
    if found:
        raise ModelError("the teacher's tokenizer is not the policy's: " + "; ".join(found))


def tokenizer_digest(tokenizer: Tokenizer) -> str:
    """SHA-256 of what its token ids mean: the tokens, the special ones and which one begins a text
    or stands for the unknown. Equal where ``check_same_tokenizer`` finds no difference but in the
    chat template."""
    roles = {role: getattr(tokenizer, role) for role in ROLES}
    meaning = [tokenizer.get_vocab(), _special(tokenizer), roles]
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()


def _special(tokenizer: Tokenizer) -> dict[str, int]:
    return {str(one): index for index, one in tokenizer.added_tokens_decoder.items() if one.special}


def _template(tokenizer: Tokenizer) -> str | None:
    return None if tokenizer.chat_template is None else tokenizer.get_chat_template()
