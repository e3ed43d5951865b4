"""The locks agree with one another and with what the project asks for."""

import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Of the control plane's image. One that comes to pyproject.toml has to come to locks/control.txt.
CONTROL = [extra for extra in ("postgres", "kubernetes", "s3", "rollouts") if extra in EXTRAS]


def pins(*names: str) -> dict[str, str]:
    lines = [
        line
        for name in names
        for line in (ROOT / "locks" / f"{name}.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    parted = [line.split("==") for line in lines]
    assert len({name for name, _ in parted}) == len(lines)
    return {canonicalize_name(name): version for name, version in parted}


def test_the_base_lock_is_a_part_of_both_others() -> None:
    assert pins("base").items() <= pins("cpu").items()
    assert pins("base").items() <= pins("cuda").items()


@pytest.mark.parametrize(
    ("locks", "extras"),
    [
        (["base"], []),
        (["base", "control"], CONTROL),
        (["cpu", "dev"], ["run", "cpu", "postgres", "s3", "dev"]),
        (["cuda"], ["run", "cuda", "postgres", "s3"]),
    ],
)
def test_a_lock_holds_what_its_extras_ask_for(locks: list[str], extras: list[str]) -> None:
    asked = [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    requirements = [Requirement(line) for line in asked if not line.startswith("rkd-online")]
    locked = pins(*locks)
    unmet = [
        str(requirement)
        for requirement in requirements
        if not requirement.specifier.contains(locked.get(canonicalize_name(requirement.name), "0"))
    ]
    assert unmet == []


@pytest.mark.parametrize("other", ["cpu", "cuda"])
def test_the_lock_of_the_control_planes_image_agrees_with_those_of_workers(other: str) -> None:
    shared = pins("control").keys() & pins(other).keys()
    assert {name: pins("control")[name] for name in shared} == {
        name: pins(other)[name] for name in shared
    }
    assert shared


def test_the_lock_of_the_trackers_goes_behind_those_of_runs() -> None:
    """It changes one of their pins, as it says, and agrees with the tools of the tests."""
    own = pins("trackers")
    for extra in ("tensorboard", "mlflow"):
        (requirement,) = map(Requirement, EXTRAS[extra])
        assert requirement.specifier.contains(own[requirement.name])
    for name in ("cpu", "cuda"):
        below = pins(name)
        assert {one for one in own.keys() & below.keys() if own[one] != below[one]} == {
            "cachetools"
        }
    tools = pins("dev")
    assert {one: own[one] for one in own.keys() & tools.keys()} == {
        one: tools[one] for one in own.keys() & tools.keys()
    }


def test_the_cpu_lock_leaves_out_what_breaks_on_the_cpu_build_of_torch() -> None:
    assert pins("cpu")["torch"] == "2.13.0+cpu"
    assert not {"torchvision", "torchaudio", "torchcodec"} & pins("cpu", "dev").keys()


def test_the_extra_of_tests_brings_nothing_that_their_lock_does_not_have() -> None:
    """By what the installed packages ask for. Of PostgreSQL's wheel the programs alone are used."""
    whole = {canonicalize_name(need.name) for need in needs(EXTRAS["dev"])}
    assert whole - pins("cpu", "dev").keys() == {"fasteners"}
    assert {"pytest", "cfn-lint", "networkx"} <= whole


def needs(lines: list[str]) -> list[Requirement]:
    """Requirements, and what those need that are installed."""
    todo, found = [Requirement(line) for line in lines], dict[str, Requirement]()
    while todo:
        need = todo.pop()
        if str(need) in found:
            continue
        found[str(need)] = need
        if canonicalize_name(need.name) in pins("cpu", "dev"):
            more = map(Requirement, distribution(need.name).requires or [])
            todo += [one for one in more if applies(one, need.extras)]
    return list(found.values())


def applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": one}) for one in ("", *extras))
