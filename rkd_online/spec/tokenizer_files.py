"""Tokenizers compared by their files, without any machine-learning package."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rkd_online.errors import ModelError
from rkd_online.spec.file_formats import (
    TokenizerFile,
    TokenizerSettings,
    parse,
)
from rkd_online.spec.model_files import read_json

TOKENIZER: Final = "tokenizer.json"
SLOW_TOKENIZERS: Final = ("tokenizer.model", "vocab.json", "tekken.json")
ROLES: Final = ("bos_token", "unk_token")
"""The end and padding tokens may differ, as they do between a base model and its chat model: a
completion ends at either's end token, and padding is masked wherever it occurs."""


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """What must be equal for two models to mean the same by a token id.

    ``special`` maps special tokens to ids and ``roles`` names which token begins a text and which
    stands for the unknown. ``chat_template`` is None where there is none.
    """

    vocabulary: Mapping[str, int]
    special: Mapping[str, int]
    roles: Mapping[str, str | None]
    chat_template: str | None

    @property
    def size(self) -> int:
        """Rows that an embedding needs for it."""
        return max(self.vocabulary.values()) + 1


def read_tokenizer(folder: Path) -> TokenizerFiles | None:
    """The tokenizer of a model folder; None where only transformers can read it."""
    if not (folder / TOKENIZER).is_file():
        if any((folder / name).is_file() for name in SLOW_TOKENIZERS):
            return None
        raise ModelError(f"{folder} has no {TOKENIZER}")
    file = folder / TOKENIZER
    content = parse(TokenizerFile, read_json(file), file, "a tokenizer")
    added = content.added_tokens or []
    settings = _settings(folder)
    return TokenizerFiles(
        vocabulary=content.model.vocab | {one.content: one.id for one in added},
        special={one.content: one.id for one in added if one.special},
        roles={role: getattr(settings, role) for role in ROLES},
        chat_template=_chat_template(folder, settings),
    )


def differences(policy: TokenizerFiles, teacher: TokenizerFiles, *, chat: bool) -> Iterator[str]:
    """What the teacher's tokenizer has otherwise than the policy's, one line for each kind.

    The chat template counts only where prompts go through it (``chat``).
    """
    yield from map_difference("token", policy.vocabulary, teacher.vocabulary)
    yield from map_difference("special token", policy.special, teacher.special)
    for role in ROLES:
        if policy.roles[role] != teacher.roles[role]:
            yield f"{role} is {policy.roles[role]!r} in the policy, {teacher.roles[role]!r} here"
    if chat:
        yield from template_difference(policy.chat_template, teacher.chat_template)


def map_difference(
    what: str, policy: Mapping[str, int], teacher: Mapping[str, int]
) -> Iterator[str]:
    """A line that names the token with the lowest id that differs and says how many do."""
    pairs = {token: (policy.get(token), teacher.get(token)) for token in policy.keys() | teacher}
    different = {token: ids for token, ids in pairs.items() if ids[0] != ids[1]}
    if different:
        first = min(different, key=lambda token: _order(token, *different[token]))
        here, there = ("absent" if one is None else f"id {one}" for one in different[first])
        yield f"{what} {first!r} is {here} in the policy, {there} here ({len(different)} differ)"


def _order(token: str, policy: int | None, teacher: int | None) -> tuple[int, bool, str]:
    lowest = min(one for one in (policy, teacher) if one is not None)
    return lowest, policy is None, token


def template_difference(policy: str | None, teacher: str | None) -> Iterator[str]:
    """A line that says where two chat templates part."""
    if policy == teacher:
        return
    if policy is None or teacher is None:
        yield f"the chat template is missing in the {'policy' if policy is None else 'teacher'}"
        return
    pairs = zip(policy, teacher, strict=False)
    shorter = min(len(policy), len(teacher))
    place = next((i for i, (one, other) in enumerate(pairs) if one != other), shorter)
    one, other = policy[place : place + 30], teacher[place : place + 30]
    yield f"the chat template differs from character {place}: {one!r} in the policy, {other!r} here"


def _settings(folder: Path) -> TokenizerSettings:
    """The tokenizer's settings. Folders of old releases name special tokens in a second file, which
    transformers reads only where the first does not list its added tokens."""
    found = _settings_in(folder / "tokenizer_config.json")
    if found.added_tokens_decoder is not None:
        return found
    special = _settings_in(folder / "special_tokens_map.json")
    return found.model_copy(
        update={name: getattr(special, name) for name in special.model_fields_set}
    )


def _settings_in(file: Path) -> TokenizerSettings:
    content = read_json(file) if file.is_file() else {}
    return parse(TokenizerSettings, content, file, "a tokenizer's settings")


def _chat_template(folder: Path, settings: TokenizerSettings) -> str | None:
    """The default template: its own file wins over the one inside the settings."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = settings.chat_template
    if isinstance(template, list):
        return next((one.template for one in template if one.name == "default"), None)
    return template
