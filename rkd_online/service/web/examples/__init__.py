"""Examples in the API's description, by the operation's id."""

from collections.abc import Mapping
from typing import Any, Final

from rkd_online.service.web.examples import access, jobs, results

REQUESTS: Final[Mapping[str, Mapping[str, Any]]] = {**jobs.REQUESTS, **access.REQUESTS}
"""Bodies, by what they do."""
ANSWERS: Final[Mapping[str, Any]] = {
    **jobs.ANSWERS,
    **results.ANSWERS,
    **access.ANSWERS,
}
"""What is answered where it goes well."""
