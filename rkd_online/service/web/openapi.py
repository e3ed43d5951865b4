"""The API's description, with problems in place of FastAPI's own error model."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from rkd_online.service.schemas.problem import Problem

REF = "#/components/schemas/{model}"


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        app.openapi_schema = _with_problems(
            get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                routes=app.routes,
            )
        )
    return app.openapi_schema


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    problem = Problem.model_json_schema(ref_template=REF)
    schemas = document["components"]["schemas"]
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    return document
