"""From ``config.json`` to a shape: what each architecture has, and what its configuration leaves
out.

A default is the one of the architecture's own configuration class in transformers.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import PositiveInt

from rkd_online.errors import ModelError
from rkd_online.spec.file_formats import FileRecord, parse
from rkd_online.spec.sizing.shape import Dense, Experts, FeedForward, Shape


class Decoder(FileRecord):
    """The keys of a configuration that say how large its model is."""

    model_type: str
    vocab_size: PositiveInt
    hidden_size: PositiveInt
    intermediate_size: PositiveInt
    num_hidden_layers: PositiveInt
    num_attention_heads: PositiveInt
    num_key_value_heads: PositiveInt | None = None
    head_dim: PositiveInt | None = None
    max_position_embeddings: PositiveInt | None = None
    tie_word_embeddings: bool | None = None
    attention_bias: bool | None = None
    mlp_bias: bool | None = None
    num_local_experts: PositiveInt | None = None
    num_experts: PositiveInt | None = None
    num_experts_per_tok: PositiveInt | None = None
    moe_intermediate_size: PositiveInt | None = None
    decoder_sparse_step: PositiveInt | None = None
    mlp_only_layers: list[int] | None = None

    @property
    def kv_heads(self) -> int:
        return self.num_key_value_heads or self.num_attention_heads

    @property
    def size_of_head(self) -> int:
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def queries(self) -> int:
        return self.num_attention_heads * self.size_of_head

    @property
    def keys(self) -> int:
        return self.kv_heads * self.size_of_head


def shape_of(content: Mapping[str, Any], file: Path) -> Shape:
    """The shape of the model that a configuration describes. Raises ModelError for one that is of
    another architecture than those here, or that lacks a size."""
    text = content.get("text_config")
    if isinstance(text, dict) and "vision_config" in content:
        raise ModelError(
            f"{file} has a vision_config: a plan counts language models alone, and this one has a "
            "part more"
        )
    inner = dict(text) if isinstance(text, dict) else dict(content)
    kind = inner.get("model_type")
    if kind not in FAMILIES:
        raise ModelError(
            f"{file}: model_type {kind!r} is not an architecture whose size is known here; known "
            f"are {', '.join(sorted(FAMILIES))}"
        )
    decoder = parse(Decoder, inner, file, "the configuration of a language model")
    return FAMILIES[decoder.model_type](decoder)


def _plain(
    decoder: Decoder,
    *,
    tied: bool = False,
    biases: int = 0,
    head_norms: tuple[int, ...] = (),
    feed_forward: FeedForward | None = None,
    norms: Any = 2,
) -> Shape:
    """What all share. ``tied`` is the architecture's default."""
    own = decoder.tie_word_embeddings
    return Shape(
        family=decoder.model_type,
        layers=decoder.num_hidden_layers,
        width=decoder.hidden_size,
        heads=decoder.num_attention_heads,
        kv_heads=decoder.kv_heads,
        head_size=decoder.size_of_head,
        vocabulary=decoder.vocab_size,
        context=decoder.max_position_embeddings,
        tied=tied if own is None else own,
        feed_forward=feed_forward or Dense(decoder.intermediate_size),
        biases=biases,
        head_norms=head_norms,
        norms=norms,
    )


def _attention_biases(decoder: Decoder) -> int:
    """Where a configuration asks for them all four maps of attention have one."""
    return decoder.queries + 2 * decoder.keys + decoder.hidden_size if decoder.attention_bias else 0


def _llama(decoder: Decoder) -> Shape:
    mlp = 2 * decoder.intermediate_size + decoder.hidden_size if decoder.mlp_bias else 0
    return _plain(decoder, biases=_attention_biases(decoder) + mlp)


def _qwen2(decoder: Decoder) -> Shape:
    return _plain(decoder, biases=decoder.queries + 2 * decoder.keys)


def _qwen3(decoder: Decoder) -> Shape:
    sized = decoder.model_copy(update={"head_dim": decoder.head_dim or 128})
    norms = (sized.size_of_head,) * 2
    return _plain(sized, biases=_attention_biases(sized), head_norms=norms)


def _qwen3_moe(decoder: Decoder) -> Shape:
    layers, step = decoder.num_hidden_layers, decoder.decoder_sparse_step or 1
    dense = set(decoder.mlp_only_layers or []) & set(range(layers))
    dense |= {layer for layer in range(layers) if (layer + 1) % step}
    experts = Experts(
        inner=decoder.moe_intermediate_size or 768,
        # transformers 5 writes the second name.
        count=decoder.num_experts or decoder.num_local_experts or 128,
        used=decoder.num_experts_per_tok or 8,
        dense_layers=len(dense),
        dense_inner=decoder.intermediate_size,
    )
    norms = (decoder.size_of_head,) * 2
    biases = _attention_biases(decoder)
    return _plain(decoder, biases=biases, head_norms=norms, feed_forward=experts)


def _mixtral(decoder: Decoder) -> Shape:
    experts = Experts(
        inner=decoder.intermediate_size,
        count=decoder.num_local_experts or 8,
        used=decoder.num_experts_per_tok or 2,
    )
    return _plain(decoder, feed_forward=experts)


def _gemma(decoder: Decoder) -> Shape:
    sized = decoder.model_copy(update={"head_dim": decoder.head_dim or 256})
    return _plain(sized, tied=True, biases=_attention_biases(sized))


def _gemma2(decoder: Decoder) -> Shape:
    sized = decoder.model_copy(update={"head_dim": decoder.head_dim or 256})
    return _plain(sized, tied=True, biases=_attention_biases(sized), norms=4)


def _gemma3(decoder: Decoder) -> Shape:
    sized = decoder.model_copy(update={"head_dim": decoder.head_dim or 256})
    biases = _attention_biases(sized)
    return _plain(sized, tied=True, biases=biases, head_norms=(sized.size_of_head,) * 2, norms=4)


def _olmo2(decoder: Decoder) -> Shape:
    norms = (decoder.queries, decoder.keys)
    return _plain(decoder, biases=_attention_biases(decoder), head_norms=norms)


FAMILIES: Final[Mapping[str, Callable[[Decoder], Shape]]] = {
    "gemma": _gemma,
    "gemma2": _gemma2,
    "gemma3_text": _gemma3,
    "llama": _llama,
    "mistral": _plain,
    "mixtral": _mixtral,
    "olmo2": _olmo2,
    "phi3": _plain,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "qwen3_moe": _qwen3_moe,
}
