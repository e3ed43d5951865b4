"""KubeRay's own schemas, where a folder beside the clone has its CRDs; they are no part of this
project. ``KUBERAY_CRDS`` names another folder."""

import os
from pathlib import Path
from typing import Any

import pytest

from scripts.kuberay_fields import schemas

SHARED = Path(__file__).resolve().parents[2] / "shared" / "kuberay-crds"


def kuberay_schemas() -> dict[str, Any]:
    """The schema of each kind, as the CRDs have it; a test without them is skipped."""
    folder = Path(os.environ.get("KUBERAY_CRDS", SHARED))
    if not folder.is_dir():
        pytest.skip(f"no folder {folder} with KubeRay's CRDs; KUBERAY_CRDS names another")
    return schemas(folder)


def strict(schema: Any) -> Any:
    """A CRD's schema that refuses unknown fields, as the API server's strict validation does. Of
    metadata, which the server checks itself, a CRD has no fields."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made = {key: strict(value) for key, value in schema.items()}
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields", False)
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        made.setdefault("additionalProperties", open_ended)
    return made
