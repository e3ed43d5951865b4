"""The files of a model folder as records, as far as they are read here.

A file of another form is refused with the place in it that is wrong. Keys that are not named here
are left alone.
"""

from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)

from rkd_online.errors import ModelError

T = TypeVar("T")
_ADAPTERS: Final[dict[Any, TypeAdapter[Any]]] = {}
"""By what they check."""


def parse(kind: type[T], content: Any, file: Path, what: str) -> T:
    """``content`` of ``file`` as a record. Raises ModelError where it is not ``what``."""
    try:
        checked: T = _adapter(kind).validate_python(content)
        return checked
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        message = f"{place}: {first['msg']}" if place else first["msg"]
        raise ModelError(f"{file} is not {what}: {message}") from error


def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Making one costs more than most of its uses."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


class FileRecord(BaseModel):
    """Part of a file."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _number(value: Any) -> int | None:
    """Architectures may name the shape of their attention otherwise, as one number for each layer:
    such a shape is not read."""
    return value if isinstance(value, int) and value > 0 else None


Shape = Annotated[int | None, BeforeValidator(_number)]


class DecoderConfig(FileRecord):
    """What ``config.json`` says of a language model, or its ``text_config`` of the text's part."""

    vocab_size: PositiveInt
    max_position_embeddings: PositiveInt | None = None
    n_positions: PositiveInt | None = None
    num_hidden_layers: Shape = None
    num_attention_heads: Shape = None
    num_key_value_heads: Shape = None
    head_dim: Shape = None
    hidden_size: Shape = None


class ModelConfig(FileRecord):
    """What ``config.json`` says beside the decoder."""

    architectures: list[str] | None = None
    text_config: dict[str, Any] | None = None
    speculators_config: Any = None


class ShardIndex(FileRecord):
    """``model.safetensors.index.json``: tensors to files."""

    weight_map: Annotated[dict[str, str], Field(min_length=1)]


class TensorEntry(FileRecord):
    """One tensor of a safetensors header."""

    shape: list[NonNegativeInt]
    data_offsets: tuple[NonNegativeInt, NonNegativeInt]


class AddedToken(FileRecord):
    """One entry of ``added_tokens``."""

    content: str
    id: NonNegativeInt
    special: bool = False


def _by_token(value: Any) -> Any:
    """Unigram models list their tokens with a score, in the order of their ids."""
    listed = isinstance(value, list) and all(
        isinstance(one, list) and len(one) == 2 and isinstance(one[0], str) for one in value
    )
    return {token: index for index, (token, _) in enumerate(value)} if listed else value


Vocabulary = Annotated[dict[str, NonNegativeInt], Field(min_length=1), BeforeValidator(_by_token)]


class TokenizerModel(FileRecord):
    """Tokens to ids."""

    vocab: Vocabulary


class TokenizerFile(FileRecord):
    """``tokenizer.json``."""

    model: TokenizerModel
    added_tokens: list[AddedToken] | None = None


def _content(value: Any) -> Any:
    """A special token is text, or a record with its text."""
    return value["content"] if isinstance(value, dict) and "content" in value else value


TokenText = Annotated[str | None, BeforeValidator(_content)]


class NamedTemplate(FileRecord):
    """One of several chat templates."""

    name: str
    template: str


class TokenizerSettings(FileRecord):
    """``tokenizer_config.json``, or ``special_tokens_map.json`` of old releases."""

    bos_token: TokenText = None
    unk_token: TokenText = None
    chat_template: str | list[NamedTemplate] | None = None
    added_tokens_decoder: Any = None
