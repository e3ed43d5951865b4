"""Supervised training of one bundled model, the same to the bit every time on one thread."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch.optim import AdamW, Muon, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedTokenizerBase, Qwen3Config, Qwen3ForCausalLM

from rkd_online.zoo.examples import Examples
from rkd_online.zoo.recipe import Recipe

PEAK_LEARNING_RATE: Final = 2e-3
WARMUP_STEPS: Final = 50
REPORT_EVERY: Final = 100
MAX_GRADIENT_NORM: Final = 1.0


def make_model(tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> Qwen3ForCausalLM:
    """An untrained model of the recipe's shape; the global random state is left as it was."""
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        intermediate_size=3 * recipe.width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads // 2,
        head_dim=32,
        max_position_embeddings=tokenizer.model_max_length,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return Qwen3ForCausalLM(config)


def train(
    model: Qwen3ForCausalLM,
    examples: Examples,
    recipe: Recipe,
    progress: Callable[[str], None],
    state: Path,
) -> None:
    """Teach the model its traces, in place: warm-up, then a cosine to zero.

    What a cut training left in ``state`` is gone on from, to the same weights. The file stays: the
    model is not written yet.
    """
    optimizers = make_optimizers(model, recipe)
    share = partial(_rate, steps=recipe.steps)
    schedules = {f"{name} schedule": LambdaLR(one, share) for name, one in optimizers.items()}
    parts: dict[str, Any] = {"model": model, **optimizers, **schedules}
    done = _restored(parts, state)
    examples.skip(done * recipe.batch)
    model.train()
    for step in range(done + 1, recipe.steps + 1):
        ids, labels = examples.batch(recipe.batch)
        loss = model(input_ids=ids, labels=labels, use_cache=False).loss
        model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
        for optimizer in optimizers.values():
            optimizer.step()
        for schedule in schedules.values():
            schedule.step()
        if step % REPORT_EVERY == 0:
            progress(f"{recipe.name}: step {step} of {recipe.steps}, loss {loss.item():.4f}")
            _save(parts, step, state)
    model.eval()


def make_optimizers(model: Qwen3ForCausalLM, recipe: Recipe) -> dict[str, Optimizer]:
    """AdamW for all weights, or Muon for the matrices of the layers and AdamW for the rest."""
    if recipe.optimizer == "adamw":
        return {"adamw": AdamW(model.parameters(), lr=PEAK_LEARNING_RATE)}
    matrices = [one for one in model.model.layers.parameters() if one.ndim == 2]
    known = {id(one) for one in matrices}
    others = [one for one in model.parameters() if id(one) not in known]
    # A step of Muon is then as large as one of AdamW, and takes the same learning rate.
    muon = Muon(matrices, lr=PEAK_LEARNING_RATE, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    return {"muon": muon, "adamw": AdamW(others, lr=PEAK_LEARNING_RATE, weight_decay=0.0)}


def _save(parts: Mapping[str, Any], step: int, state: Path) -> None:
    partial = state.with_suffix(".partial")
    torch.save({name: part.state_dict() for name, part in parts.items()} | {"step": step}, partial)
    partial.replace(state)


def _restored(parts: Mapping[str, Any], state: Path) -> int:
    """Steps that were done before."""
    if not state.exists():
        return 0
    found = torch.load(state, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(found[name])
    return int(found["step"])


def _rate(step: int, *, steps: int) -> float:
    """The share of the peak learning rate before update ``step`` (from 0)."""
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    return 0.5 * (1 + math.cos(math.pi * (step - WARMUP_STEPS) / (steps - WARMUP_STEPS)))
