import pytest

from rkd_online.spec.resources import Resources
from rkd_online.weights.transfer import transfer_for


@pytest.mark.parametrize(
    ("device", "learner_gpus", "generator_gpus", "transfer"),
    [
        ("cpu", 0, 0, "file"),
        ("cuda", 1, 1, "nccl"),
        ("cuda", 4, 0.5, "nccl"),
        ("cuda", 0.5, 0.5, "ipc"),
    ],
)
def test_gpus_take_vllms_own_transfer_engines(
    device: str, learner_gpus: float, generator_gpus: float, transfer: str
) -> None:
    resources = Resources.model_validate(
        {
            "device": device,
            "learner": {"gpus": learner_gpus},
            "generator": {"gpus": generator_gpus},
        }
    )
    assert transfer_for(resources) == transfer
