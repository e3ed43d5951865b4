"""A job whose task is a mixture, as plain data."""

from typing import Any

from tests.unit.spec.job import job


def part(name: str, low: int = 2, high: int = 4, **fields: Any) -> dict[str, Any]:
    """A part of chain sums."""
    return {
        "name": name,
        "task": {"type": "chain_sum", "min_terms": low, "max_terms": high},
    } | fields


def mixed(*parts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return job(task={"type": "mixture", "parts": list(parts)}, **changes)
