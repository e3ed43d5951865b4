"""MLflow's own client, made to answer soon: the thread that calls it has its own patience."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

from rkd_online.metrics.trackers.backend import Refused, Unusable
from rkd_online.metrics.trackers.mlflow_run import IDENTITY, Value

T = TypeVar("T")

DEFAULTS: Final = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Of MLflow's environment, what nobody has set: short waits, nothing sent elsewhere or printed."""
SECRETS: Final = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
LONGEST_MESSAGE: Final = 300
PASSING: Final = frozenset({401, 403, 408, 429})
"""Refusals that an administrator or time can end."""


class MlflowServer:
    """A `Server`. Credentials are those of MLflow's own environment variables."""

    def __init__(self, address: str) -> None:
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        try:
            import mlflow
        except ImportError as error:
            raise Unusable(
                f"not installed where the job runs ({error}): install rkd-online[mlflow] there"
            ) from error
        self._mlflow = mlflow
        self._entities = mlflow.entities
        self._client = mlflow.MlflowClient(tracking_uri=address)
        self._remote = urlsplit(address).scheme in ("http", "https")
        self._secrets = secrets_of(address, os.environ)

    def find(self, experiment: str, identity: str) -> str | None:
        """The id of the newest run with this tag, in an experiment that is made if need be."""
        found = self._ask(
            self._client.search_runs,
            [self._experiment(experiment)],
            filter_string=f"tags.`{IDENTITY}` = '{identity}'",
            max_results=1,
        )
        return found[0].info.run_id if found else None

    def create(self, experiment: str, name: str, tags: Mapping[str, str]) -> str:
        """A new run's id."""
        run = self._ask(
            self._client.create_run, self._experiment(experiment), run_name=name, tags=dict(tags)
        )
        return str(run.info.run_id)

    def parameters(self, run: str) -> frozenset[str]:
        """Names of the parameters that a run has."""
        return frozenset(self._ask(self._client.get_run, run).data.params)

    def log(
        self,
        run: str,
        *,
        values: Sequence[Value] = (),
        parameters: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add to a run."""
        entities = self._entities
        self._ask(
            self._client.log_batch,
            run,
            metrics=[
                entities.Metric(one.name, one.value, one.milliseconds, one.step) for one in values
            ],
            params=[entities.Param(*one) for one in (parameters or {}).items()],
            tags=[entities.RunTag(*one) for one in (tags or {}).items()],
            synchronous=True,
        )

    def status(self, run: str, status: str) -> None:
        """Say how a run is doing; one that is over gets the time of its end."""
        over = status in ("FINISHED", "FAILED", "KILLED")
        self._ask(self._client.set_terminated if over else self._client.update_run, run, status)

    def file(self, run: str, path: Path) -> None:
        """Keep a file with a run. Where the server says to write into a folder of its own, one of
        that name on this machine would be written to."""
        root = str(self._ask(self._client.get_run, run).info.artifact_uri)
        if self._remote and urlsplit(root).scheme in ("", "file"):
            raise Refused(
                f"{path.name} is not sent: artifacts go to {root}, a folder of the server"
            )
        self._ask(self._client.log_artifact, run, str(path))

    def _experiment(self, name: str) -> str:
        found = self._ask(self._client.get_experiment_by_name, name)
        if found is not None:
            return str(found.experiment_id)
        try:
            return str(self._ask(self._client.create_experiment, name))
        except Refused:  # another job may have made it in between
            found = self._ask(self._client.get_experiment_by_name, name)
            if found is None:
                raise
            return str(found.experiment_id)

    def _ask(self, call: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """What a call answers; its errors have no secrets in them, nor causes that might."""
        ask = partial(call, *arguments, **options)
        try:
            return ask()
        except self._mlflow.exceptions.RestException as error:
            status, text = error.get_http_status_code(), self._words(error)
            refused = 400 <= status < 500 and status not in PASSING
            raise (Refused(text) if refused else ConnectionError(text)) from None
        except Exception as error:
            raise ConnectionError(self._words(error)) from None

    def _words(self, error: BaseException) -> str:
        """What was in the way at the bottom of it: what lies above names addresses at length."""
        while cause := error.__cause__ or error.__context__:
            error = cause
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        return without(said, self._secrets)[:LONGEST_MESSAGE]


def secrets_of(address: str, environment: Mapping[str, str]) -> list[str]:
    """What no message may hold: credentials in the address and of MLflow's environment."""
    login = urlsplit(address).netloc.rpartition("@")[0]
    password = login.partition(":")[2]
    known = [login, password, unquote(password), *(environment.get(name, "") for name in SECRETS)]
    return sorted({one for one in known if one}, key=len, reverse=True)


def without(text: str, secrets: Sequence[str]) -> str:
    """The text with ``***`` for each secret."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def place_of(address: str) -> str:
    """An address without credentials, path and query."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
