"""Write ``docs/job.md``, a job field by field, from the models: ``python scripts/job_page.py``."""

import types
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from rkd_online.spec import JobSpec

PAGE = Path(__file__).resolve().parents[1] / "docs" / "job.md"
HEAD = """# A job, field by field

Written by `python scripts/job_page.py` from the models in `rkd_online/spec/`; do not edit.
`rkd validate SPEC` fills in the defaults, checks everything that can be checked without loading a
model, and prints the plan. An unknown key is an error. What several fields take stands here once,
as the algorithms, which phases take too. `examples/` has whole jobs.
"""


def page() -> str:
    """The page's text."""
    found = dict.fromkeys(models(JobSpec, ""))
    names: dict[type[BaseModel], str] = {}
    for place, model in found:
        names[model] = min(names.get(model, place), place, key=depth)
    return HEAD + "".join(section(place, one) for place, one in found if names[one] == place)


def depth(place: str) -> int:
    """How many fields lead to a place: a model of several comes once, where they are fewest."""
    return place.partition(" ")[0].count(".")


def models(model: type[BaseModel], place: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Every model of a job with its place, depth first, each where it is met first."""
    yield place, model
    for name, field in model.model_fields.items():
        inside = [one for one in parts(field.annotation) if is_model(one)]
        for one in inside:
            tag = f" · type `{tag_of(one)}`" if len(inside) > 1 else ""
            yield from models(one, f"{place.split(' ')[0]}.{name}".lstrip(".") + tag)


def section(place: str, model: type[BaseModel]) -> str:
    """One model as a table."""
    path, space, tag = place.partition(" ")
    title = f"`{path}`{space}{tag}" if place else "The job"
    lines = [f"\n## {title}\n", plain(model.__doc__), ""]
    lines += ["| field | value | default | |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        words = [f"`{name}`", kind(field), default(field), plain(field.description)]
        lines.append(f"| {' | '.join(words)} |")
    return "\n".join(lines) + "\n"


def kind(field: FieldInfo) -> str:
    """What a field takes, bounds included."""
    found = list(dict.fromkeys(named(one) for one in parts(field.annotation)))
    if get_origin(field.annotation) is tuple and "mapping" in found:
        found = ["list of mappings"]
    bounds = ", ".join(filter(None, map(bound, field.metadata)))
    return " or ".join(found) + (f", {bounds}" if bounds else "")


def plain(docstring: str | None) -> str:
    """A docstring on one line, as Markdown."""
    return " ".join((docstring or "").split()).replace("``", "`")


def named(one: Any) -> str:
    """A plain word for a type."""
    if get_origin(one) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(one))
    if is_model(one):
        return "mapping"
    if get_origin(one) in (tuple, list):
        return "list"
    if get_origin(one) is dict:
        return "mapping"
    return {int: "whole number", float: "number", str: "text", bool: "true or false"}.get(
        one, {Path: "path", type(None): "nothing"}.get(one, "value")
    )


def bound(constraint: Any) -> str:
    """A constraint in words; empty for one that says nothing to a reader."""
    match constraint:
        case Ge(ge):
            return f"at least {ge}"
        case Gt(gt):
            return f"above {gt}"
        case Le(le):
            return f"at most {le}"
        case Lt(lt):
            return f"below {lt}"
        case MinLen(length):
            return f"at least {length}"
        case StringConstraints():
            return f"matching `{constraint.pattern}`"
    return ""


def default(field: FieldInfo) -> str:
    """The default as YAML would write it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    assert value is not PydanticUndefined
    if isinstance(value, BaseModel):
        return (
            f"`type: {tag_of(type(value))}`" if "type" in type(value).model_fields else "see below"
        )
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        return f"one of `type: {tag_of(type(value[0]))}`"
    if value is None:
        return "none"
    return f"`{value.value if isinstance(value, Enum) else value}`"


def parts(annotation: Any) -> Iterator[Any]:
    """The members of a union, of an annotation and of a list of models."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        for one in get_args(annotation):
            yield from parts(one)
    elif origin is Annotated or is_list_of_models(annotation):
        yield from parts(get_args(annotation)[0])
    else:
        yield annotation


def is_list_of_models(annotation: Any) -> bool:
    """Whether a type is a tuple of one kind of model, or of a union of them."""
    return get_origin(annotation) is tuple and any(map(is_model, parts(get_args(annotation)[0])))


def is_model(one: Any) -> bool:
    """Whether a type is one of the spec's models."""
    return isinstance(one, type) and issubclass(one, BaseModel)


def tag_of(model: type[BaseModel]) -> str:
    """The values of ``type`` that mean this model."""
    return " | ".join(get_args(model.model_fields["type"].annotation))


if __name__ == "__main__":
    PAGE.write_text(page())
