"""One rank of a learner that several processes share.

``python -m tests.integration.learning.shared_training MODEL OUT RANK COUNT MEETING_POINT``; rank 0
writes what every run of it must agree on.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from rkd_online.errors import TrainingError
from rkd_online.learning.learner import PolicyLearner
from rkd_online.learning.ranks import Ranks
from rkd_online.spec.algorithm import Rlad
from rkd_online.spec.training import OptimizerSpec
from rkd_online.types import LearnerRank, Progress, logprobs, token_ids
from tests.unit.learning.training import SMOOTH, TOTAL_STEPS, training_batch, training_rows

STEPS = 4
LARGEST_NORM = 0.1
"""Of the gradient in all steps but the last, whose gradients are left as they are."""
PROBE = token_ids([3, 141, 59, 26, 5, 35])


def main() -> None:
    model, out, index, count, meeting_point, budget, minibatches = sys.argv[1:]
    place = LearnerRank(int(index), int(count), meeting_point)
    ranks = Ranks(place, device="cpu", timeout_seconds=60.0)
    settings = SMOOTH | {"micro_batch_tokens": int(budget), "minibatches": int(minibatches)}
    learner = make(Path(model), ranks, settings | {"max_gradient_norm": LARGEST_NORM})
    found = [learner.update(training_batch(step)) for step in range(1, STEPS)]
    learner.save(Path(out) / "step-000003", Progress(STEPS - 1, 0, ()))
    # The first rank writes; a run goes on when all have answered.
    ranks.merged("saved")

    again = make(Path(model), ranks, settings)
    again.restore(Path(out) / "step-000003")
    found.append(again.update(training_batch(STEPS)))
    probe = again.probe(PROBE)
    weights = {name: tensor.clone() for name, tensor in again.state_tensors()}
    refusal = refused(again)
    again.close()
    if place.index == 0:
        save_file(weights, Path(out) / "weights.safetensors")
        kept = {
            "metrics": [one.metrics for one in found],
            "old": [[row.tolist() for row in one.old_logprobs] for one in found],
            "probe": probe.tolist(),
            "refusal": refusal,
        }
        (Path(out) / "found.json").write_text(json.dumps(kept))


def make(model: Path, ranks: Ranks, settings: dict[str, float]) -> PolicyLearner:
    return PolicyLearner(
        model,
        algorithm=Rlad(),
        optimizer=OptimizerSpec.model_validate(settings),
        total_steps=TOTAL_STEPS,
        device="cpu",
        threads=1,
        ranks=ranks,
    )


def refused(learner: PolicyLearner) -> str:
    """What every rank says of a batch with one row that is not finite."""
    rows = list(training_rows(STEPS + 1))
    bad = rows[5]
    rows[5] = type(bad)(
        bad.group_id,
        bad.prompt_ids,
        bad.completion_ids,
        bad.sampler_logprobs,
        logprobs([float("nan")] * len(bad.completion_ids)),
        bad.advantage,
        bad.correct,
    )
    try:
        learner.update(training_batch(STEPS + 1, rows))
    except TrainingError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
