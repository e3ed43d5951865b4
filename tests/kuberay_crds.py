"""KubeRay's own schemas, where a folder beside the clone has its CRDs; they are no part of this
project. ``KUBERAY_CRDS`` names another folder."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

SHARED = Path(__file__).resolve().parents[2] / "shared" / "kuberay-crds"


def strict_schema(plural: str) -> dict[str, Any]:
    """The schema of a kind, such as ``rayjobs``, that refuses fields which it does not know."""
    file = Path(os.environ.get("KUBERAY_CRDS", SHARED)) / f"ray.io_{plural}.yaml"
    if not file.is_file():
        pytest.skip(f"there is no {file}")
    crd = yaml.load(file.read_text(), yaml.CSafeLoader)
    [version] = [one for one in crd["spec"]["versions"] if one["name"] == "v1"]
    schema: dict[str, Any] = _strict(version["schema"]["openAPIV3Schema"])
    # The API server checks metadata itself.
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made = {key: _strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made
