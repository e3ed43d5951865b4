"""Jobs of real size, and plans of them."""

from copy import deepcopy
from typing import Any

from rkd_online.spec.load import parse_spec
from rkd_online.spec.sizing.document import ActorSize, Plan
from rkd_online.spec.sizing.gpus import KNOWN
from rkd_online.spec.sizing.plan import Asked, make_plan
from tests.unit.spec.job import job

SMALL = "hf:Qwen/Qwen3-1.7B@70d244cc86ccca08cf5af4e1e306ecf908b1ad5e"
LARGE = "hf:Qwen/Qwen3-8B@b968826d9c46dd6066d109eabc6255188de91218"
BFLOAT16 = {"generator": "bfloat16", "scorer": "bfloat16", "learner": "bfloat16"}
ONE_GPU: dict[str, Any] = {
    "device": "cuda",
    "generator": {"gpus": 1, "kv_cache_mib": 16384},
    "scorer": {"gpus": 1},
    "learner": {"gpus": 1},
}


def real(**changes: Any) -> dict[str, Any]:
    """A job that learns 1.7B from 8B on three GPUs."""
    data = job(
        policy__model=SMALL,
        teacher__model=LARGE,
        rollout__max_new_tokens=3072,
        optimizer__activation_checkpointing=True,
        precision=dict(BFLOAT16),
        resources=deepcopy(ONE_GPU),
    )
    for path, value in changes.items():
        *parents, name = path.split("__")
        place = data
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return data


def planned(data: dict[str, Any], gpus: int | None = None, **asked: Any) -> Plan:
    """Its plan on H100s of 80 GiB."""
    return make_plan(parse_spec(data), Asked(KNOWN["h100"], gpus, **asked))


def actor(plan: Plan, role: str) -> ActorSize:
    """The first of a role."""
    return next(one for one in plan.actors if one.role == role)


def part(one: ActorSize, name: str, moment: str | None = None) -> int:
    """Bytes of a part, at the peak unless another moment is named."""
    (found,) = [at for at in one.moments if at.name == (moment or one.peak)]
    return {piece.name: piece.bytes for piece in found.parts}[name]
