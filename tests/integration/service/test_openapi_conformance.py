"""Every operation of the API, asked what hypothesis makes of its description: no error of ours, and
no answer that the description does not have."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from rkd_online.service.app import create_app
from rkd_online.service.settings import Settings
from tests.postgres import postgres
from tests.unit.service.databases import postgres_databases, sqlite_databases
from tests.unit.service.plane import FakeLauncher, first_key
from tests.unit.service.test_service_client import served

NEVER_ENDS = "/v1/jobs/{job_id}/events/stream"
"""A stream: other tests follow it."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Address and first key of a control plane that nothing keeps waiting."""
    folder: Path = tmp_path_factory.mktemp("api")
    with ExitStack() as stack:
        if request.param == "sqlite":
            database = sqlite_databases(folder)(folder)
        else:
            database = postgres_databases(stack.enter_context(postgres()))(folder)
        chosen = Settings(
            data_dir=folder,
            database_url=database,
            ray_auth_token_path=folder / "none",
            requests_per_minute=0,
        )
        url = stack.enter_context(served(chosen, FakeLauncher()))
        yield url, first_key(chosen)


def described() -> Any:
    """The API's description of itself."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = Settings(data_dir=Path(folder), ray_auth_token_path=Path(folder) / "none")
        return create_app(chosen, FakeLauncher()).openapi()


SCHEMA = schemathesis.openapi.from_dict(described())
OPERATIONS = [
    (method, path)
    for path, methods in SCHEMA.raw_schema["paths"].items()
    for method in methods
    if path != NEVER_ENDS
]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_an_operation_keeps_to_its_description(
    method: str, path: str, plane: tuple[str, str]
) -> None:
    url, key = plane

    @given(case=SCHEMA[path][method].as_strategy())
    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        case.call_and_validate(base_url=url, headers=headers, checks=CHECKS, timeout=30)

    ask()
