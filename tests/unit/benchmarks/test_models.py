"""Random models and their prompts: what the step benchmark relies on."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks.models import VOCABULARY, Shape, make_model, make_tokenizer, prompt_files, word

TINY = Shape(width=32, layers=2, heads=2, kv_heads=1, head_size=16)


def test_every_token_of_the_vocabulary_is_another_word_of_its_own_parity() -> None:
    words = [word(index) for index in range(VOCABULARY)]
    assert len(set(words)) == VOCABULARY
    assert words[:3] == ["aaa0", "aaa1", "baa0"]
    assert all(text.endswith(str(index % 2)) for index, text in enumerate(words))


def test_a_prompt_has_exactly_its_tokens_and_no_split_shares_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKD_BENCH_DIR", str(tmp_path))
    tokenizer = make_tokenizer(VOCABULARY)
    prompts = [
        json.loads(line)["prompt"]
        for path in prompt_files(16).values()
        for line in path.read_text().splitlines()
    ]
    assert len(prompts) == len(set(prompts)) == 528
    for prompt in prompts:
        ids = tokenizer(prompt).input_ids
        assert len(ids) == 16 and min(ids) > 1
        assert tokenizer.decode(ids) == prompt


def test_a_random_model_never_ends_by_itself_and_is_otherwise_near_uniform() -> None:
    model = make_model(TINY, vocabulary=100)
    ids = torch.randint(2, 100, (4, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        probabilities = model(ids).logits.softmax(-1)
    assert float(probabilities[..., 1].max()) < 1e-30
    others = torch.cat([probabilities[..., :1], probabilities[..., 2:]], -1)
    assert float(others.min()) > 0.001
    assert float(others.max()) < 0.1


def test_a_random_model_is_the_same_each_time() -> None:
    first, second = (make_model(TINY, vocabulary=100).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
