"""One rank of a learner that several processes share.

``python -m tests.integration.learning.shared_training JSON`` takes a ``Run``'s settings and the
rank's own; rank 0 writes what every run of it must agree on.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from rkd_online.errors import TrainingError
from rkd_online.learning.learner import PolicyLearner
from rkd_online.learning.ranks import Ranks
from rkd_online.spec.phases import Phase
from rkd_online.spec.precision import Precision
from rkd_online.spec.training import OptimizerSpec
from rkd_online.types import LearnerRank, Progress, TrainingBatch, logprobs, token_ids
from tests.unit.learning.training import (
    SMOOTH,
    TOTAL_STEPS,
    training_batch,
    training_rows,
    with_candidates,
)

STEPS = 4
LARGEST_NORM = 0.1
"""Of the gradient in all steps but the last, whose gradients are left as they are."""
PROBE = token_ids([3, 141, 59, 26, 5, 35])


def main() -> None:
    given = json.loads(sys.argv[1])
    place = LearnerRank(given["rank"], given["ranks"], given["meeting_point"])
    ranks = Ranks(place, device="cpu", timeout_seconds=60.0)
    model, out, precision = Path(given["model"]), Path(given["out"]), given["precision"]
    settings = SMOOTH | given["optimizer"]
    phase = Phase.model_validate({"algorithm": given["algorithm"]})
    held = settings | {"max_gradient_norm": LARGEST_NORM}
    learner = make(model, ranks, phase, held, precision)
    found = []
    for step in range(1, STEPS):
        if step == 2 and given["change"]:
            changed = OptimizerSpec.model_validate(held | given["change"])
            learner.change(phases=[phase], optimizer=changed, total_steps=TOTAL_STEPS)
        found.append(learner.update(batch(step)))
    learner.save(out / "step-000003", Progress(STEPS - 1, 0, ()))
    # The first rank writes; a run goes on when all have answered.
    rates = ranks.merged([one.metrics["optimizer/learning_rate"] for one in found])

    again = make(model, ranks, phase, settings, precision)
    again.restore(out / "step-000003")
    found.append(again.update(batch(STEPS)))
    probe = again.probe(PROBE)
    weights = {name: tensor.clone() for name, tensor in again.state_tensors()}
    refusal = refused(again)
    again.close()
    if place.index == 0:
        save_file(weights, out / "weights.safetensors")
        kept = {
            "metrics": [one.metrics for one in found],
            "old": [[row.tolist() for row in one.old_logprobs] for one in found],
            "probe": probe.tolist(),
            "refusal": refusal,
            "rates": rates,
        }
        (out / "found.json").write_text(json.dumps(kept))


def make(
    model: Path, ranks: Ranks, phase: Phase, settings: dict[str, float], precision: Precision
) -> PolicyLearner:
    return PolicyLearner(
        model,
        phases=[phase],
        optimizer=OptimizerSpec.model_validate(settings),
        total_steps=TOTAL_STEPS,
        device="cpu",
        threads=1,
        ranks=ranks,
        precision=precision,
    )


def batch(step: int) -> TrainingBatch:
    """Its rows have candidates, which most methods leave alone."""
    return training_batch(step, with_candidates(training_rows(step)))


def refused(learner: PolicyLearner) -> str:
    """What every rank says of a batch with one row that is not finite."""
    rows = list(with_candidates(training_rows(STEPS + 1)))
    nan = logprobs([float("nan")] * len(rows[5].completion_ids))
    rows[5] = replace(rows[5], teacher_logprobs=nan)
    try:
        learner.update(training_batch(STEPS + 1, rows))
    except TrainingError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
    # torch's caches of shardings keep the gloo group and its threads beyond destroy_process_group,
    # and an interpreter that takes itself apart beside them is now and then aborted
    # (pytorch/pytorch#190489). Ray's actors end without taking apart anything, too.
    sys.stdout.flush()
    os._exit(0)
