"""Every shipped example is a job."""

from pathlib import Path

import pytest

from rkd_online.spec.load import load_spec

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_parses(path: Path) -> None:
    load_spec(path)


def test_the_quickstart_is_there() -> None:
    assert "quickstart.yaml" in {path.name for path in EXAMPLES}
