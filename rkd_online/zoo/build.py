"""Train a bundled pair from nothing and write its folders: what ``rkd zoo build`` runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import GenerationConfig, PreTrainedTokenizerBase, Qwen3ForCausalLM

from rkd_online.errors import SpecError
from rkd_online.zoo.card import card
from rkd_online.zoo.examples import Examples
from rkd_online.zoo.measure import measure
from rkd_online.zoo.pairs import SUBJECTS
from rkd_online.zoo.recipe import RECIPES, Recipe
from rkd_online.zoo.training import make_model, train

Progress = Callable[[str], None]


def build(output: Path, pair: str = "chain-sum", progress: Progress = print) -> None:
    """Write ``output/PAIR/NAME`` for each model of the pair: weights, tokenizer and model card."""
    if pair not in RECIPES:
        raise SpecError(f"no bundled pair is called {pair!r}: choose one of {', '.join(RECIPES)}")
    for recipe in RECIPES[pair]:
        folder = output / pair / recipe.name
        with threads(recipe.threads):
            model, tokenizer = build_model(folder, pair, recipe, progress)
        with threads(1):
            figures = measure(model, tokenizer, SUBJECTS[pair])
        (folder / "README.md").write_text(card(pair, recipe, figures), encoding="utf-8")
        for one in figures:
            progress(
                f"{recipe.name}: pass@1 on {one.group} {one.sampled:.3f} at temperature 1, "
                f"{one.greedy:.3f} greedy"
            )


def build_model(
    folder: Path, pair: str, recipe: Recipe, progress: Progress
) -> tuple[Qwen3ForCausalLM, PreTrainedTokenizerBase]:
    """Train one model and write it in Hugging Face format with its tokenizer. A training that was
    cut goes on, and a model that is in the folder stays as it is."""
    subject, state = SUBJECTS[pair], folder / "training.pt"
    tokenizer = subject.tokenizer()
    if (folder / "model.safetensors").exists() and not state.exists():
        progress(f"{recipe.name}: is in {folder} and not trained again")
        return Qwen3ForCausalLM.from_pretrained(folder), tokenizer
    model = make_model(tokenizer, recipe)
    folder.mkdir(parents=True, exist_ok=True)
    examples = Examples(tokenizer, subject.lessons(recipe), alike=recipe.alike)
    train(model, examples, recipe, progress, state)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    state.unlink(missing_ok=True)
    return model, tokenizer


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Another number of them adds up in another order, and weights differ in the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
