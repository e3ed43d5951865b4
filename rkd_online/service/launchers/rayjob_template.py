"""The RayJob manifest that an administrator gives, read and checked once, at the start."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Annotated, Any, Final, Literal, cast, get_args

import yaml
from lightkube.utils.quantity import parse_quantity
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from rkd_online.errors import ServiceError
from rkd_online.service.settings import Settings
from rkd_online.spec.needs import Bundle, Role

ROLES: Final[tuple[Role, ...]] = get_args(Role)
QUEUE_LABEL: Final = "kueue.x-k8s.io/queue-name"

Quantity = Annotated[Decimal, BeforeValidator(lambda given: parse_quantity(str(given)))]
"""As Kubernetes writes amounts: 500m is half of one."""
Filled = Annotated[str, StringConstraints(min_length=1)]


class _Part(BaseModel):
    """A part of the manifest; what it says besides is KubeRay's business."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Resources(_Part):
    limits: dict[str, Quantity] = {}
    requests: dict[str, Quantity] = {}


class _Container(_Part):
    name: Filled
    resources: _Resources = _Resources()


class _Pod(_Part):
    containers: list[_Container] = Field(min_length=1)


class _PodTemplate(_Part):
    spec: _Pod


class _HeadGroup(_Part):
    template: _PodTemplate


class _StartParams(_Part):
    cpus: Quantity | None = Field(default=None, alias="num-cpus")
    gpus: Quantity | None = Field(default=None, alias="num-gpus")


class _WorkerGroup(_Part):
    groupName: Role
    template: _PodTemplate
    rayStartParams: _StartParams = _StartParams()
    resources: dict[str, Quantity] = {}
    labels: dict[str, str] = {}
    # Each replica would be several pods.
    numOfHosts: Literal[1] = 1


class _Cluster(_Part):
    headGroupSpec: _HeadGroup
    workerGroupSpecs: list[_WorkerGroup]
    # The size of a job is known, and Kueue admits no cluster that changes its own.
    enableInTreeAutoscaling: Literal[False] | None = None


class _Spec(_Part):
    rayClusterSpec: _Cluster
    suspend: bool = False
    # These would end a run, start one again, or lend it a cluster, without the control plane.
    activeDeadlineSeconds: None = None
    clusterSelector: None = None
    deletionStrategy: None = None
    submissionMode: Literal["K8sJobMode", "HTTPMode", "SidecarMode"] = "K8sJobMode"


class _Metadata(_Part):
    labels: dict[str, str] = {}


class _RayJob(_Part):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: _Metadata = _Metadata()
    spec: _Spec


@dataclass(frozen=True, slots=True)
class Template:
    """A manifest that can be filled in: ``pods`` is what one pod of each group offers to actors,
    ``queue`` is Kueue's LocalQueue, empty without Kueue."""

    manifest: Mapping[str, Any]
    pods: Mapping[Role, Bundle]
    queue: str


def read_template(settings: Settings) -> Template:
    """The template of these settings; raises ServiceError with what is wrong with it."""
    path = settings.rayjob_template
    if path is None:
        raise ServiceError(
            "RKD_RAYJOB_TEMPLATE is empty, and RKD_LAUNCHER=rayjob needs it: set it to a file with "
            "the manifest of a RayJob"
        )
    where = f"RKD_RAYJOB_TEMPLATE, {path},"
    try:
        manifest = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ServiceError(f"{where} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ServiceError(f"{where} is no YAML: {error}") from error
    try:
        rayjob = _RayJob.model_validate(manifest)
    except ValidationError as error:
        raise ServiceError(f"{where} cannot be used:\n{_lines(error)}") from error
    queue = settings.kueue_queue or rayjob.metadata.labels.get(QUEUE_LABEL, "")
    if problems := _problems(rayjob, queue, settings.role_label):
        raise ServiceError(f"{where} cannot be used:\n" + "\n".join(problems))
    groups = rayjob.spec.rayClusterSpec.workerGroupSpecs
    return Template(
        manifest=cast("Mapping[str, Any]", manifest),
        pods={group.groupName: _offer(group) for group in groups},
        queue=queue,
    )


def _problems(rayjob: _RayJob, queue: str, label: str) -> list[str]:
    groups = rayjob.spec.rayClusterSpec.workerGroupSpecs
    names = [group.groupName for group in groups]
    problems = []
    if sorted(names) != sorted(ROLES):
        problems.append(
            f"  spec.rayClusterSpec.workerGroupSpecs: the groups are {', '.join(names) or 'none'}, "
            f"and have to be {', '.join(ROLES)}, each once"
        )
    if rayjob.spec.suspend and not queue:
        problems.append(
            "  spec.suspend: is true, and without Kueue nobody would ever lift it: set "
            f"RKD_KUEUE_QUEUE or the label {QUEUE_LABEL}, or leave it out"
        )
    problems += [
        f"  spec.rayClusterSpec.workerGroupSpecs.{group.groupName}.labels: has no "
        f"{label}: {group.groupName}, by which RKD_ROLE_LABEL places its actors"
        for group in groups
        if label and group.labels.get(label) != group.groupName
    ]
    return problems


def _offer(group: _WorkerGroup) -> Bundle:
    """What KubeRay tells Ray that a pod has: what its group says, else what its first container is
    limited to, both in whole numbers."""
    container = group.template.spec.containers[0].resources
    said = {name.lower(): value for name, value in group.resources.items()}
    cpus = (
        group.rayStartParams.cpus,
        said.get("cpu"),
        container.limits.get("cpu"),
        container.requests.get("cpu"),
    )
    gpus = (group.rayStartParams.gpus, _gpus(said), _gpus(container.limits))
    return {"CPU": _first(cpus), "GPU": _first(gpus)}


def _gpus(resources: Mapping[str, Decimal]) -> Decimal | None:
    found = [value for name, value in sorted(resources.items()) if name.endswith("gpu")]
    return found[0] if found else None


def _first(given: tuple[Decimal | None, ...]) -> float:
    return float(next((ceil(value) for value in given if value is not None), 0))


def _lines(error: ValidationError) -> str:
    return "\n".join(
        f"  {'.'.join(str(part) for part in found['loc']) or 'the file'}: {found['msg']}, and is "
        f"{_short(found['input'])}"
        for found in error.errors()
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
