"""Whole evaluations from the counts of correct answers."""

from collections.abc import Sequence
from typing import Any

from rkd_online.evaluation.measure import measure
from rkd_online.evaluation.record import Asked, Decoded, Evaluation
from rkd_online.evaluation.tally import Tally
from rkd_online.spec.decoding import Decoding
from rkd_online.spec.task import ChatPrompt


def tally(correct: Sequence[int], samples: int, *, tokens: int = 20) -> Tally:
    """Every correct answer is a solution of its own, every answer ``tokens`` long."""
    return Tally(
        samples=samples,
        correct=tuple(correct),
        solutions=tuple((1,) * right for right in correct),
        tokens=(samples * tokens,) * len(correct),
        truncated=(0,) * len(correct),
        answered=(samples,) * len(correct),
        unjudged=(0,) * len(correct),
        reward_parts={"verifier": tuple(map(float, correct))},
    )


def evaluation(
    model: str,
    correct: Sequence[int],
    *,
    samples: int = 4,
    tokens: int = 20,
    decodings: Sequence[Decoding] = ("temperature_1",),
    prompts: Sequence[str] | None = None,
    **asked: Any,
) -> Evaluation:
    """Prompts of an even number are easy, the others hard."""
    difficulties = [("easy", "hard")[place % 2] for place in range(len(correct))]
    tasks = ["sum"] * len(correct)
    counts = tally(correct, samples, tokens=tokens)
    lengths = [tokens] * (samples * len(correct))
    measurement = measure(counts, tasks, difficulties, lengths, seconds=1.0)
    settings: dict[str, Any] = {
        "task": "sum",
        "split": "test",
        "prompt": ChatPrompt(),
        "max_new_tokens": 64,
        "extractors": {"sum": "answer_tag"},
        "correct_at": 1.0,
        "seed": 0,
    }
    return Evaluation(
        model=model,
        asked=Asked(**settings | asked),
        prompts=tuple(prompts or [f"test/{place}-0a" for place in range(len(correct))]),
        tasks=tuple(tasks),
        difficulties=tuple(difficulties),
        decodings={
            one: Decoded(weight_version=0, measurement=measurement, tally=counts)
            for one in decodings
        },
    )
