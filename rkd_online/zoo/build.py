"""Train a bundled pair from nothing and write its folders: what ``rkd zoo build`` runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import GenerationConfig, PreTrainedTokenizerBase, Qwen3ForCausalLM

from rkd_online.errors import SpecError
from rkd_online.zoo.card import card
from rkd_online.zoo.measure import measure
from rkd_online.zoo.recipe import RECIPES, Recipe
from rkd_online.zoo.tokenizer import make_tokenizer
from rkd_online.zoo.training import make_model, train

Progress = Callable[[str], None]


def build(output: Path, pair: str = "chain-sum", progress: Progress = print) -> None:
    """Write ``output/PAIR/NAME`` for each model of the pair: weights, tokenizer and model card."""
    if pair not in RECIPES:
        raise SpecError(f"no bundled pair is called {pair!r}: choose one of {', '.join(RECIPES)}")
    tokenizer = make_tokenizer()
    for recipe in RECIPES[pair]:
        folder = output / pair / recipe.name
        with one_thread():
            model = build_model(folder, tokenizer, recipe, progress)
            figures = measure(model, tokenizer)
        (folder / "README.md").write_text(card(pair, recipe, figures), encoding="utf-8")
        progress(
            f"{recipe.name}: pass@1 {figures.sampled:.3f} at temperature 1, "
            f"{figures.greedy:.3f} greedy"
        )


def build_model(
    folder: Path, tokenizer: PreTrainedTokenizerBase, recipe: Recipe, progress: Progress
) -> Qwen3ForCausalLM:
    """Train one model and write it in Hugging Face format with its tokenizer."""
    model = make_model(tokenizer, recipe)
    train(model, tokenizer, recipe, progress)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


@contextmanager
def one_thread() -> Iterator[None]:
    """Several threads add up in another order, and their weights differ in the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
