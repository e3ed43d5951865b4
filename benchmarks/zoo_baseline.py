"""pass@1 of the bundled models by plain Hugging Face generation, as their model cards state it."""

from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.results import Figure, Result, Row, result
from rkd_online.zoo import PAIRS, zoo_path
from rkd_online.zoo.build import threads
from rkd_online.zoo.measure import SAMPLES
from rkd_online.zoo.measure import measure as measure_model
from rkd_online.zoo.pairs import SUBJECTS


def measure() -> Result:
    """Two figures for each bundled model and group of problems."""
    rows: list[Row] = []
    for pair, names in PAIRS.items():
        for name in names:
            rows += _rows(pair, f"zoo:{pair}/{name}")
    return result("zoo-baseline", "The bundled models before any training", rows)


def _rows(pair: str, reference: str) -> list[Row]:
    folder = zoo_path(reference)
    with threads(1):
        found = measure_model(
            AutoModelForCausalLM.from_pretrained(folder),
            AutoTokenizer.from_pretrained(folder),
            SUBJECTS[pair],
        )
    rows: list[Row] = []
    for one in found:
        asked = f"`{reference}`, {one.problems} {one.group}"
        sampled = f"{asked}, {SAMPLES} samples at temperature 1"
        rows.append(Figure(what=f"{sampled}, pass@1", value=one.sampled, unit=""))
        rows.append(Figure(what=f"{asked}, greedy, pass@1", value=one.greedy, unit=""))
    return rows
