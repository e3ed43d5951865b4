"""Whatever path a job is made to name, what is allowed lies within the roots."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.service.safety.places import CHECKPOINT, FOREIGN, OWN, Places

LINKS = {
    "up": "..",
    "top": "/",
    "out": "../outside",
    "deep": "../outside/model",
    "in": "model",
    "own": f"../data/runs/{OWN}",
    "foreign": f"../data/runs/{FOREIGN}",
    "data": "../data",
    "loop": "loop",
    "gone": "nothing",
    "chain": "out",
    "back": "../outside/back",
}
"""Links in the root."""

PARTS = (
    *LINKS,
    "..", ".", "", "~", "model", "root", "outside", "data", "runs", OWN, FOREIGN, str(CHECKPOINT),
    "rkd.db", "%2e%2e", "..%2f", "\0", "\n", "\\..\\", "a::b", "file:", "\uff0e\uff0e", "... ",
)  # fmt: skip
STARTS = (
    "ROOT",
    "DATA/runs",
    "DATA",
    "OUTSIDE",
    "",
    "/",
    "//",
    "ROOT/..",
    "file://ROOT",
    "~",
    "..",
)


@pytest.fixture(scope="module")
def places() -> Iterator[Places]:
    folder = Path(tempfile.mkdtemp()).resolve()
    places = Places.under(folder)
    for name, target in LINKS.items():
        (places.root / name).symlink_to(target)
        (places.checkpoint(OWN) / name).symlink_to(target)
    (places.outside / "back").symlink_to(places.root / "model")
    (places.data / "rkd.db").touch()
    yield places
    shutil.rmtree(folder)


def harmless(real: str, places: Places) -> bool:
    """Where a path leads, by the operating system's own rule of links."""
    own = f"{places.data}/runs/{OWN}"
    return any(real == top or real.startswith(f"{top}/") for top in (str(places.root), own))


@settings(max_examples=400, deadline=None)
@given(start=st.sampled_from(STARTS), parts=st.lists(st.sampled_from(PARTS) | st.text(max_size=4)))
def test_an_allowed_path_never_leads_out_of_the_roots(
    places: Places, start: str, parts: list[str]
) -> None:
    names = {"ROOT": places.root, "DATA": places.data, "OUTSIDE": places.outside}
    for name, folder in names.items():
        start = start.replace(name, str(folder))
    text = "/".join([start, *parts])
    problem = places.folders.problem(text, frozenset({OWN}).__contains__)
    if problem is None:
        assert harmless(os.path.realpath(text), places)
    else:
        assert len(problem.splitlines()) == 1
        assert len(problem) < 1000


@settings(max_examples=100, deadline=None)
@given(parts=st.lists(st.sampled_from(("model", "in", "new", "é", "a b", "a.b")), max_size=4))
def test_an_honest_path_is_allowed(places: Places, parts: list[str]) -> None:
    """Those of which no part is more than a name, or a link within the root."""
    text = "/".join([str(places.root), *parts])
    assert places.folders.problem(text, frozenset({OWN}).__contains__) is None
