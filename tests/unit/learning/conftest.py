from pathlib import Path

import pytest

from tests.tiny_models import make_tiny_model


@pytest.fixture(scope="session")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tied tiny policy; the tests read it alone."""
    return make_tiny_model(tmp_path_factory.mktemp("policy"), "qwen3-tied", seed=1)
