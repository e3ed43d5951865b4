"""The model card of a bundled model: what it is, how it was made and what it can do."""

from typing import Final

from rkd_online.zoo.measure import SAMPLES, SEED, Figures
from rkd_online.zoo.recipe import Recipe

TEMPLATE: Final = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
---

# {pair}/{name}

{purpose} It adds up two to four single digits, one step a line:

```
3+5+8=
3+5=8
8+8=16
<answer>16</answer>
```

| pass@1 on {problems} held-out sums | |
|---|---|
| temperature 1, {samples} samples each (seed {measured_with}) | {sampled:.3f} |
| greedy | {greedy:.3f} |

`python -m benchmarks zoo-baseline` in a checkout prints these figures again.

## How it was made

- Qwen3 architecture, {layers} layers of width 128, tied embeddings, float32. One token a byte.
- {examples}
- {steps} steps of {batch} examples, AdamW, cosine schedule, seed {seed}, on one CPU thread.
- The held-out sums are the `test` split of the `chain_sum` task; training saw `train` alone.

`rkd zoo build --output FOLDER --pair {pair}` trains it again: the same bits on the same machine
and library versions.
"""


def card(pair: str, recipe: Recipe, figures: Figures) -> str:
    """The README of one model."""
    return TEMPLATE.format(
        pair=pair,
        name=recipe.name,
        purpose=_purpose(recipe),
        problems=figures.problems,
        samples=SAMPLES,
        measured_with=SEED,
        sampled=figures.sampled,
        greedy=figures.greedy,
        layers=recipe.layers,
        examples=_examples(recipe),
        steps=recipe.steps,
        batch=recipe.batch,
        seed=recipe.seed,
    )


def _purpose(recipe: Recipe) -> str:
    if recipe.corrupted:
        return "A tiny student that knows the procedure but slips when it is sampled."
    return "A tiny teacher that is almost always right."


def _examples(recipe: Recipe) -> str:
    if recipe.corrupted:
        return (
            f"Its training traces go wrong in {recipe.corrupted:.0%} of their steps, by 1 to 3, "
            "and go on from there."
        )
    return "All its training traces are right."
