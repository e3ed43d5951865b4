"""No field of a job is an address, and every field that takes free text is accounted for."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rkd_online.spec.job import JobSpec

PAGE: Final = Path(__file__).parents[4] / "docs" / "security.md"


def free_text(schema: Mapping[str, Any]) -> Iterator[str]:
    """``Model.field`` of every field that takes text which is neither listed nor of a pattern, or
    that takes anything."""
    for name, model in {**schema["$defs"], "JobSpec": schema}.items():
        for field, node in model.get("properties", {}).items():
            if any(map(is_free, parts(node))):
                yield f"{name}.{field}"


def parts(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A schema with all that is in it; other models are listed by themselves."""
    yield node
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for one in node.get(key, ()):
            yield from parts(one)
    for key in ("items", "additionalProperties"):
        inner = node.get(key)
        if isinstance(inner, Mapping):
            yield from parts(inner)


def is_free(node: Mapping[str, Any]) -> bool:
    if node.get("type") == "string":
        return not node.keys() & {"enum", "const", "pattern"}
    if node.get("type") == "object":
        return node.get("additionalProperties") is True
    return not node.keys() & {
        *("type", "$ref", "enum", "const"),
        *("anyOf", "oneOf", "allOf", "prefixItems"),
    }


def accounted() -> set[str]:
    """The fields in the table of the page."""
    section = PAGE.read_text().partition("## What a job can write freely")[2].partition("\n## ")[0]
    return {
        field
        for row in re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
        for field in re.findall(r"`([A-Za-z]+\.[a-z_]+)`", row)
    }


def test_every_field_with_free_text_is_accounted_for() -> None:
    """A new one fails here until the page says what it can reach."""
    assert set(free_text(JobSpec.model_json_schema())) == accounted() != set()


def test_names_of_free_mappings_are_checked_where_they_are_read() -> None:
    """``anneal`` has coefficients of the algorithm as its keys, and numbers as values."""
    schema = JobSpec.model_json_schema()
    keyed = {
        f"{name}.{field}"
        for name, model in {**schema["$defs"], "JobSpec": schema}.items()
        for field, node in model.get("properties", {}).items()
        if node.get("type") == "object"
    }
    assert keyed == {"InstalledReward.settings", "Phase.anneal", "ReasoningGymTask.config"}


def test_no_field_is_an_address() -> None:
    """By its format and by its name."""
    schema = JobSpec.model_json_schema()
    named = [
        f"{name}.{field}"
        for name, model in {**schema["$defs"], "JobSpec": schema}.items()
        for field in model.get("properties", {})
        if re.search(r"url|uri|host|port\b|address|endpoint|proxy|server", field)
    ]
    # By its pattern a name, which is looked up among those of the settings.
    assert named == ["MlflowTracker.endpoint"]
    assert not re.search(r'"format": "(uri|url|hostname|ipv4|ipv6)', str(schema).replace("'", '"'))
