"""The card of a store: ``README.md`` as the Hugging Face hub reads it, and ``store.json``."""

from pathlib import Path
from typing import Final

from huggingface_hub import DatasetCardData

from rkd_online.spec.store_files import SHARDS, STORE, StoreManifest
from rkd_online.store.columns import COLUMNS

CARD: Final = "README.md"
SIZES: Final = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))
PAGE: Final = """\
---
{front}
---

# Rollouts of {source}

{rows:,} completions of {groups:,} prompts of {task}, sampled by `{sampled_by}`, judged by the
task's rewards{judged}. One row is one completion.

```python
from datasets import load_dataset

rows = load_dataset(FOLDER, split="train")
```

| column | type | what it holds |
|---|---|---|
{columns}

- Log-probabilities are natural logarithms, one for each completion token.
- `correct`: `correctness` is at least {correct_at:g}.
- Token ids are of the tokenizer with the digest `{tokenizer}`; a completion that was not
  cut ends with one of the tokens {ends}.
- Sampled with {versions}.
"""


def write_card(folder: Path, manifest: StoreManifest) -> None:
    """The page, then the manifest, which makes the folder a store."""
    (folder / CARD).write_text(dataset_card(manifest), encoding="utf-8")
    (folder / STORE).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def dataset_card(manifest: StoreManifest) -> str:
    """The whole page."""
    judged = manifest.judged_by
    return PAGE.format(
        front=_front(manifest).to_yaml(),
        source=manifest.source,
        rows=manifest.rows,
        groups=manifest.groups,
        task=manifest.task,
        sampled_by=manifest.sampled_by,
        judged="" if judged is None else f", its tokens by `{judged}`",
        columns="\n".join(
            f"| `{name}` | {column.type} | {column.words} |" for name, column in COLUMNS.items()
        ),
        correct_at=manifest.correct_at,
        tokenizer=manifest.tokenizer,
        ends=", ".join(map(str, manifest.end_token_ids)),
        versions=", ".join(f"{name} {one}" for name, one in sorted(manifest.versions.items())),
    )


def _front(manifest: StoreManifest) -> DatasetCardData:
    size = next((words for bound, words in SIZES if manifest.rows < bound), "n>1M")
    files = [{"split": "train", "path": f"{SHARDS}/*.parquet"}]
    return DatasetCardData(
        pretty_name=f"Rollouts of {manifest.source}",
        task_categories=["text-generation"],
        size_categories=[size],
        tags=["rkd-online", "rollouts", manifest.task],
        configs=[{"config_name": "default", "data_files": files}],
    )
