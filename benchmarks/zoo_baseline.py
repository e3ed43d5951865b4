"""pass@1 of the bundled models by plain Hugging Face generation, as their model cards state it."""

from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.results import Figure, Result, Row, result
from rkd_online.zoo import PAIRS, zoo_path
from rkd_online.zoo.build import one_thread
from rkd_online.zoo.measure import SAMPLES
from rkd_online.zoo.measure import measure as measure_model


def measure() -> Result:
    """Two figures for each bundled model."""
    rows: list[Row] = []
    for reference in (f"zoo:{pair}/{name}" for pair in PAIRS for name in PAIRS[pair]):
        folder = zoo_path(reference)
        with one_thread():
            found = measure_model(
                AutoModelForCausalLM.from_pretrained(folder),
                AutoTokenizer.from_pretrained(folder),
            )
        asked = f"`{reference}`, {found.problems} problems"
        sampled = f"{asked}, {SAMPLES} samples at temperature 1"
        rows.append(Figure(what=f"{sampled}, pass@1", value=found.sampled, unit=""))
        rows.append(Figure(what=f"{asked}, greedy, pass@1", value=found.greedy, unit=""))
    return result("zoo-baseline", "The bundled models before any training", rows)
