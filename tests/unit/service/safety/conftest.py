"""Real folders and real links."""

from pathlib import Path

import pytest

from tests.unit.service.safety.places import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places.under(tmp_path)
