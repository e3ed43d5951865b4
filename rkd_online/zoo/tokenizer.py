"""The tokenizers of the bundled models: one id per byte, and a mark for each part of a chat.

Bytes and no merges, so any text encodes and comes back as it was. The answer's tags are tokens of
their own but ordinary text: decoding keeps them.
"""

from collections.abc import Iterable
from typing import Final

from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerFast

PAD: Final = "<|pad|>"
END: Final = "<|end|>"
ROLES: Final = ("<|system|>", "<|user|>", "<|assistant|>")
ANSWER_TAGS: Final = ("<answer>", "</answer>")
CONTEXT: Final = 256

CHAT_TEMPLATE: Final = (
    "{% for message in messages %}"
    "<|{{ message['role'] }}|>{{ message['content'] }}<|end|>"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def make_tokenizer(words: Iterable[str] = (), context: int = CONTEXT) -> PreTrainedTokenizerFast:
    """Ids 0 to 255 are bytes; padding, end, roles, answer tags and ``words`` follow."""
    symbols = {symbol: index for index, symbol in enumerate(sorted(ByteLevel.alphabet()))}
    backend = Tokenizer(BPE(vocab=symbols, merges=[]))
    backend.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = ByteLevelDecoder()
    backend.add_special_tokens([PAD, END, *ROLES])
    backend.add_tokens([AddedToken(tag, normalized=False) for tag in (*ANSWER_TAGS, *words)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        eos_token=END,
        extra_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
