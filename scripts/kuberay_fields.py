"""Write which fields of KubeRay's objects our chart sets, with the types that KubeRay gives them.

``python -m scripts.kuberay_fields FOLDER`` reads KubeRay's CRDs, ``ray.io_rayclusters.yaml`` and
``ray.io_rayjobs.yaml``, in a folder of yours, and needs helm on the path. Pods within the objects
are left out: Kubernetes' own schemas have them.
"""

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "tests" / "deploy" / "kuberay_fields.txt"
FILES = {"RayCluster": "ray.io_rayclusters.yaml", "RayJob": "ray.io_rayjobs.yaml"}
FieldPath: TypeAlias = tuple[str, ...]
PODS = ("template", "submitterPodTemplate")
HEAD = "# Fields of KubeRay's objects that the chart sets, by python -m scripts.kuberay_fields.\n"


def schemas(folder: Path) -> dict[str, Any]:
    """The schema of each kind's version v1."""
    found = {}
    for kind, name in FILES.items():
        crd = yaml.load((folder / name).read_text(), yaml.CSafeLoader)
        [version] = [one for one in crd["spec"]["versions"] if one["name"] == "v1"]
        found[kind] = version["schema"]["openAPIV3Schema"]
    return found


def fields(part: Any, path: FieldPath) -> Iterator[tuple[FieldPath, Any]]:
    """Every field within an object's part, with its value; all items of a list are ``[]``."""
    if isinstance(part, Mapping):
        for key, value in part.items():
            yield (*path, key), value
            if key not in PODS:
                yield from fields(value, (*path, key))
    elif isinstance(part, list):
        for value in part:
            yield from fields(value, (*path, "[]"))


def text(path: FieldPath) -> str:
    """A path in one word, as in ``spec.workerGroupSpecs[].replicas``."""
    return ".".join(path).replace(".[]", "[]")


def type_at(schema: Mapping[str, Any], path: FieldPath) -> str:
    """What a path's value has to be; KeyError where the schema has no such field."""
    for step in path:
        if step == "[]":
            schema = schema["items"]
        elif "additionalProperties" in schema:
            schema = schema["additionalProperties"]
        else:
            schema = schema["properties"][step]
    if schema.get("x-kubernetes-int-or-string"):
        return "integer or string"
    return f"one of {' '.join(schema['enum'])}" if "enum" in schema else str(schema["type"])


def lines(objects: Iterable[Mapping[str, Any]], known: Mapping[str, Any]) -> list[str]:
    """A line for each field that any of the objects sets, sorted."""
    used = {(one["kind"], path) for one in objects for path, _ in fields(one["spec"], ("spec",))}
    return sorted(f"{kind} {text(path)}: {type_at(known[kind], path)}" for kind, path in used)


def main() -> None:
    """Render all scenarios of the tests and write the list."""
    from tests.deploy.charts import Helm, embedded, of_kind
    from tests.deploy.scenarios import SCENARIOS

    program = shutil.which("helm")
    if len(sys.argv) != 2 or program is None:
        sys.exit("usage: python -m scripts.kuberay_fields FOLDER, with helm on the path")
    helm = Helm(Path(program), Path("/tmp"))
    found = [helm.template(values).objects for values in SCENARIOS.values()]
    ours = [
        one for objects in found for one in [*of_kind(objects, "RayCluster"), *embedded(objects)]
    ]
    LIST.write_text(HEAD + "".join(f"{line}\n" for line in lines(ours, schemas(Path(sys.argv[1])))))


if __name__ == "__main__":
    main()
