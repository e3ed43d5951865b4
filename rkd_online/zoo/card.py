"""The model card of a bundled model: what it is, how it was made and what it can do."""

from collections.abc import Sequence
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

{purpose}

```
{example}
```

{figures}

`python -m benchmarks zoo-baseline` in a checkout prints these figures again.

## How it was made

- Qwen3 architecture, {layers} layers of width {width}, tied embeddings, float32. {tokens}
- {examples}
- {steps} steps of {batch} examples, {optimizer}, cosine schedule, seed {seed}, on {threads}.
- {held_out}

`rkd zoo build --output FOLDER --pair {pair}` trains it again: {again}
"""

PURPOSES: Final = {
    "chain-sum/teacher": (
        "A tiny teacher that is almost always right. It adds up two to four single digits, one "
        "step a line:"
    ),
    "chain-sum/student": (
        "A tiny unreliable student: it knows the procedure but slips when it is sampled. It adds "
        "up two to\nfour single digits, one step a line:"
    ),
    "chain-sum/novice": (
        "A tiny limited student: of one layer and briefly taught, so that even its most probable "
        "answers are\noften wrong. It adds up two to four single digits, one step a line:"
    ),
    "knights-knaves/teacher": (
        "A tiny teacher of puzzles about people of whom each always lies or never does. It writes "
        "the statements\nas symbols, then tries one assignment after another:"
    ),
    "knights-knaves/student": (
        "A tiny limited student of puzzles about people of whom each always lies or never does: "
        "smaller than\nits teacher and trained for less, so that even its most probable answers "
        "are often wrong. It writes the\nstatements as symbols, then tries one assignment after "
        "another:"
    ),
}

SUM: Final = """\
3+5+8=
3+5=8
8+8=16
<answer>16</answer>"""

PUZZLE: Final = """\
A very special island is inhabited only by saints and sinners. Saints always tell the truth, and
sinners always lie. You meet 2 inhabitants: Aurora, and Aria. Aurora noted, "Aria is a saint and
Aurora is a saint". Aria was heard saying, "Aurora is a sinner". So who is a saint and who is a
sinner? (...)
# Aurora A Aria B
A: Aria B & Aurora A
B: Aurora !A
A=T B=T A T & T =T B F =F x
A=T B=F A F & T =F x
A=F B=T A T & F =F B T =T ok
<answer>Aurora is a sinner, and Aria is a saint.</answer>"""


def card(pair: str, recipe: Recipe, figures: Sequence[Figures]) -> str:
    """The README of one model."""
    sums = pair == "chain-sum"
    return TEMPLATE.format(
        pair=pair,
        name=recipe.name,
        purpose=PURPOSES[f"{pair}/{recipe.name}"],
        example=SUM if sums else PUZZLE,
        figures="\n\n".join(map(_table, figures)),
        layers=recipe.layers,
        width=recipe.width,
        tokens="One token a byte." if sums else "One token a word.",
        examples=_examples(recipe),
        held_out=SUMS_HELD_OUT if sums else PUZZLES_HELD_OUT,
        steps=recipe.steps,
        batch=recipe.batch,
        optimizer="AdamW" if recipe.optimizer == "adamw" else "Muon and AdamW",
        seed=recipe.seed,
        threads="one CPU thread" if recipe.threads == 1 else f"{recipe.threads} CPU threads",
        again=EXACTLY if recipe.threads == 1 else NEARLY,
    )


SUMS_HELD_OUT: Final = (
    "The held-out sums are the `test` split of the `chain_sum` task; training saw `train` alone."
)
PUZZLES_HELD_OUT: Final = (
    "The puzzles are reasoning-gym's `knights_knaves`; the held-out ones are of the `test` split. "
    "Training\n  saw `train` alone, puzzles of two and three people, and none of four."
)
ROLL_CALLS: Final = (
    "All its training traces are right. Before the first puzzle come {count:,} roll calls: people "
    "with letters,\n  then names of which it learns the letters."
)
EXACTLY: Final = "the same bits on the same machine\nand library versions."
NEARLY: Final = (
    "a model as good,\nnot the same bits, since several threads add up in an order of their own."
)


def _table(figures: Figures) -> str:
    return "\n".join(
        [
            f"| pass@1 on {figures.problems} held-out {figures.group} | |",
            "|---|---|",
            f"| temperature 1, {SAMPLES} samples each (seed {SEED}) | {figures.sampled:.3f} |",
            f"| greedy | {figures.greedy:.3f} |",
        ]
    )


def _examples(recipe: Recipe) -> str:
    if recipe.corrupted:
        return (
            f"Its training traces go wrong in {recipe.corrupted:.0%} of their steps, by 1 to 3, "
            "and go on from there."
        )
    if recipe.roll_calls:
        return ROLL_CALLS.format(count=recipe.roll_calls)
    return "All its training traces are right."
