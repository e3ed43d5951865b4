"""Tokenizers as transformers loads them: end tokens, and whether two mean the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from rkd_online.errors import ModelError
from rkd_online.models.tokenizer import check_same_tokenizer, end_token_ids, load_tokenizer
from rkd_online.zoo import zoo_path
from tests.tiny_models import CHAT_TEMPLATE, make_tiny_model, tiny_tokenizer


def ends(folder: Path, listed: int | list[int] | None) -> tuple[int, ...]:
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": listed}))
    return end_token_ids(folder, load_tokenizer(folder))


def test_end_tokens_are_the_tokenizers_and_those_of_generation(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path)
    assert ends(folder, [259, 258]) == (258, 259)
    assert ends(folder, 259) == (258, 259)
    assert ends(folder, [259]) == (258, 259)
    assert ends(folder, None) == (258,)
    (folder / "generation_config.json").unlink()
    assert end_token_ids(folder, load_tokenizer(folder)) == (258,)


def test_a_model_without_an_end_token_is_an_error(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="names no end token: set eos_token"):
        end_token_ids(tmp_path, tokenizer)


def test_a_folder_without_a_tokenizer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"cannot load the tokenizer in {tmp_path}: "):
        load_tokenizer(tmp_path)


def test_a_plain_tokenizer_is_loaded_as_by_transformers_own_choice() -> None:
    folder = zoo_path("zoo:chain-sum/student")
    ours, chosen = (
        load_tokenizer(folder),
        AutoTokenizer.from_pretrained(folder, local_files_only=True),
    )
    assert type(ours) is type(chosen)
    assert ours.init_kwargs == chosen.init_kwargs
    assert ours.backend_tokenizer.to_str() == chosen.backend_tokenizer.to_str()


def test_reading_a_plain_tokenizer_and_a_configuration_imports_no_torch() -> None:
    program = (
        "import sys; from rkd_online.zoo import zoo_path;"
        "from rkd_online.models.folder import context_length, vocabulary_size;"
        "from rkd_online.models.tokenizer import load_tokenizer;"
        "folder = zoo_path('zoo:chain-sum/student');"
        "print(context_length(folder), vocabulary_size(folder), len(load_tokenizer(folder)));"
        "print('torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=120)
    assert ran.stdout.split() == [b"256", b"263", b"263", b"False"], ran.stderr


def test_equal_tokenizers_pass_whatever_token_pads() -> None:
    other = tiny_tokenizer()
    other.pad_token = "<|im_end|>"
    check_same_tokenizer(tiny_tokenizer(), other)


def test_another_vocabulary_is_named_by_its_first_token() -> None:
    other = tiny_tokenizer()
    other.add_tokens(["<more>"])
    with pytest.raises(ModelError) as caught:
        check_same_tokenizer(tiny_tokenizer(), other)
    assert str(caught.value) == (
        "the teacher's tokenizer is not the policy's: token '<more>' is absent in the policy, "
        "id 260 here (1 differ)"
    )


def test_a_token_that_is_special_in_one_alone_is_named() -> None:
    policy, teacher = tiny_tokenizer(), tiny_tokenizer()
    policy.add_tokens(["<more>"])
    teacher.add_tokens(["<more>"], special_tokens=True)
    with pytest.raises(ModelError, match=r"special token '<more>' is absent in the policy, id 260"):
        check_same_tokenizer(policy, teacher)


def test_another_first_token_is_named() -> None:
    other = tiny_tokenizer()
    other.bos_token = "<|endoftext|>"
    with pytest.raises(ModelError, match=r"bos_token is None in the policy, '<\|endoftext"):
        check_same_tokenizer(tiny_tokenizer(), other)


def test_another_end_token_fits() -> None:
    other = tiny_tokenizer()
    other.eos_token = "<|endoftext|>"
    check_same_tokenizer(tiny_tokenizer(), other)


def test_another_chat_template_counts_where_prompts_are_chats() -> None:
    other = tiny_tokenizer(CHAT_TEMPLATE.replace("assistant", "model"))
    place = CHAT_TEMPLATE.index("assistant")
    with pytest.raises(ModelError, match=f"template differs from character {place}: 'assistant"):
        check_same_tokenizer(tiny_tokenizer(), other)
    check_same_tokenizer(tiny_tokenizer(), other, chat=False)
    with pytest.raises(ModelError, match="the chat template is missing in the policy"):
        check_same_tokenizer(tiny_tokenizer(None), tiny_tokenizer())
