"""The tokenizer of the bundled models."""

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from rkd_online.zoo import zoo_path
from rkd_online.zoo.tokenizer import ANSWER_TAGS, END, PAD


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        zoo_path("zoo:chain-sum/student")
    )
    return loaded


def test_any_text_comes_back_as_it_was(tokenizer: PreTrainedTokenizerBase) -> None:
    text = " 3+5 =8\n\t½ ünï 合計 🧮 <answer> 16</answer>  "
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_an_answer_tag_is_one_token_that_decoding_keeps(tokenizer: PreTrainedTokenizerBase) -> None:
    ids = tokenizer.encode("<answer>16</answer>" + END)
    assert len(ids) == 5
    assert tokenizer.convert_ids_to_tokens([ids[0], ids[3]]) == list(ANSWER_TAGS)
    assert tokenizer.decode(ids, skip_special_tokens=True) == "<answer>16</answer>"


def test_padding_and_end_are_different_tokens(tokenizer: PreTrainedTokenizerBase) -> None:
    assert (tokenizer.pad_token, tokenizer.pad_token_id) == (PAD, 256)
    assert (tokenizer.eos_token, tokenizer.eos_token_id) == (END, 257)
    assert len(tokenizer) == 263


def test_the_template_marks_each_message_and_opens_the_answer(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    chat = [{"role": "system", "content": "Add."}, {"role": "user", "content": "3+5="}]
    prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert prompt == "<|system|>Add.<|end|><|user|>3+5=<|end|><|assistant|>"
    answered = tokenizer.apply_chat_template(
        [*chat, {"role": "assistant", "content": "8"}], tokenize=False
    )
    assert answered == f"{prompt}8<|end|>"
