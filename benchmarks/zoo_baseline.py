"""pass@1 of the bundled models, as their model cards state it.

``python -m benchmarks.zoo_baseline``
"""

from transformers import AutoModelForCausalLM, AutoTokenizer

from rkd_online.zoo import PAIRS, zoo_path
from rkd_online.zoo.build import one_thread
from rkd_online.zoo.measure import SAMPLES, measure


def main() -> None:
    """Print one line for each bundled model."""
    for reference in (f"zoo:{pair}/{name}" for pair in PAIRS for name in PAIRS[pair]):
        folder = zoo_path(reference)
        with one_thread():
            figures = measure(
                AutoModelForCausalLM.from_pretrained(folder),
                AutoTokenizer.from_pretrained(folder),
            )
        print(
            f"{reference}: pass@1 on {figures.problems} held-out problems: {figures.sampled:.3f} "
            f"at temperature 1 ({SAMPLES} samples each), {figures.greedy:.3f} greedy"
        )


if __name__ == "__main__":
    main()
