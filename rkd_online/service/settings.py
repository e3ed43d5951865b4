"""What the control plane is told by its environment: ``RKD_*`` and Ray's own token variables."""

import ipaddress
import json
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AliasChoices,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from rkd_online.objects.address import address_problem
from rkd_online.service.access.keys import key_id
from rkd_online.service.launchers.groups import NodeGroup
from rkd_online.service.safety.hub import pattern_problem
from rkd_online.service.safety.trackers import server_problem

HOST_NAME: Final = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


class Settings(BaseSettings):
    """One value per name; each can be given as ``RKD_<NAME>`` or as an argument."""

    model_config = SettingsConfigDict(
        env_prefix="RKD_",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    data_dir: Path = Field(default=Path(".rkd"), validate_default=True)
    """Folder of the database and of every job's files; made absolute."""
    object_store: str = ""
    """Where runs and this API exchange files: ``s3://bucket/prefix``, or ``file:///folder``. Empty:
    in the data folder, which all nodes see."""
    object_cache_mib: PositiveInt = 2048
    """Space in the data folder for what was read from the object store, at each replica."""
    database_url: str = ""
    """SQLAlchemy URL; empty is SQLite in the data folder."""
    host: str = "127.0.0.1"
    """Address the API listens on."""
    port: int = Field(default=8420, ge=1, le=65535)
    """Port the API listens on."""
    auth: Literal["keys", "off"] = "keys"
    """Whether callers need an API key; ``off`` only where no other machine can reach this API."""
    key_pepper: SecretStr = SecretStr("")
    """What digests of keys are made with; empty is a file of the data folder, made at first."""
    first_key: SecretStr = SecretStr("")
    """Key of the first administrator, made where the database has none: ``rkd_<id>_<secret>``, as
    ``rkd keys make-first`` prints one. Empty: a new one, which is left in the data folder."""
    requests_per_minute: NonNegativeInt = 1200
    """Requests of one API key in a minute, at each replica; 0 for no limit."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """How log records are written: JSON, one to a line, or text; ``auto`` is text in a terminal."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Records below this level are not written; of other packages none below ``info``."""
    public_url: str = ""
    """Base URL at which runs reach this API; empty is the address it listens on."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Further names that this API answers to, beside those of ``public_url`` and ``host``: JSON, or
    names with ``,`` between them. ``*.example.org`` allows all names below."""
    ray_address: str = "http://127.0.0.1:8265"
    """Ray's dashboard."""
    ray_auth_token: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=AliasChoices("RAY_AUTH_TOKEN", "RKD_RAY_AUTH_TOKEN"),
    )
    """Ray's token; empty reads ``ray_auth_token_path``."""
    ray_auth_token_path: Path = Field(
        default=Path("~/.ray/auth_token"),
        validation_alias=AliasChoices("RAY_AUTH_TOKEN_PATH", "RKD_RAY_AUTH_TOKEN_PATH"),
    )
    """File with Ray's token; where it is absent, none is sent."""
    ray_dashboard_url: str = ""
    """Ray's dashboard as browsers reach it, for links; empty is ``ray_address``. With the launcher
    ``rayjob`` each attempt has one of its own: ``{rayjob}`` and ``{namespace}`` are filled in."""
    grafana_url: str = ""
    """Grafana's page about a job, for links; ``{job}`` is filled in with the job's id."""
    launcher: Literal["shared", "rayjob"] = "shared"
    """Where runs go: ``shared``, to the Ray at ``ray_address``; ``rayjob``, each attempt to a Ray
    of its own, which KubeRay makes on Kubernetes."""
    rayjob_template: Path | None = None
    """Manifest of a RayJob with the worker groups learner, scorer and generator, which the launcher
    ``rayjob`` fills in for each attempt."""
    kubernetes_namespace: str = ""
    """Namespace of the RayJobs; empty is that of the service account or of the kubeconfig."""
    kueue_queue: str = ""
    """Kueue's LocalQueue for RayJobs; empty is what the template's labels name, or no Kueue."""
    role_label: str = ""
    """Ray node label, such as ``rkd.io/role``, by whose value (learner, scorer, generator) the
    actors of a role choose their nodes; empty lets them go anywhere."""
    allowed_paths: Annotated[tuple[Path, ...] | None, NoDecode] = None
    """Folders below which jobs may name models, stores and files of prompts, beside the files of
    their project's own jobs: JSON, or folders with ``:`` between them. Unset: on a control plane
    that one user started for himself the folder where it was started, on a shared one none."""
    allowed_models: Annotated[tuple[str, ...], NoDecode] = ("hf:*/*",)
    """Models of the hub that jobs may name: JSON, or patterns with ``,`` between them.
    ``hf:Qwen/*`` allows full commit ids alone, ``hf:Qwen/*@main`` that branch."""
    allow_evaluated_answers: bool | None = None
    """Whether jobs may use the reasoning-gym datasets whose verifiers run a policy's answers as
    Python. Unset: on a shared control plane they may not."""
    trackers: dict[str, str] = {}
    """MLflow servers that jobs may report to, by the names that jobs give them, such as
    {"team": "http://mlflow:5000"}. Credentials are never part of an address: runs take those of
    MLflow's own variables on the cluster."""
    interpreter: str = sys.executable
    """Full path of the Python that runs jobs: the one with Ray and vLLM installed."""
    max_running_jobs: PositiveInt = 1
    """Jobs that run at the same time; the others wait in the queue."""
    backfill_seconds: NonNegativeFloat = 600.0
    """A job that waits for room on the cluster lets smaller ones pass it for this long."""
    cluster_groups: tuple[NodeGroup, ...] = ()
    """All nodes that the cluster can have, such as
    [{"role": "learner", "nodes": 2, "cpus": 32, "gpus": 8}]: a job that they could not hold is
    refused, though some are not there yet. Empty: those that are there."""
    cluster_grows: bool = True
    """Whether an autoscaler adds the nodes of `cluster_groups`: jobs are begun as if all were
    there, and a run waits until its nodes come. False: jobs wait for the room of those that are
    there."""
    node_wait_seconds: PositiveFloat = 1800.0
    """Time that a run on a shared Ray waits for nodes of `cluster_groups` before its attempt is
    lost."""
    max_attempts: PositiveInt = 3
    """Runs of one job that may be lost before its loss is final."""
    retry_wait_seconds: NonNegativeFloat = 10.0
    """Time from a lost run to the next one, doubled with each loss, 5 minutes at most."""
    poll_seconds: PositiveFloat = 2.0
    """Time between two looks at Ray."""
    launch_timeout_seconds: PositiveFloat = 120.0
    """Ray may be unreachable, or the data folder full, for this long before a job that waits for it
    fails."""
    start_timeout_seconds: PositiveFloat = 300.0
    """Time from launch to a run's first report."""
    heartbeat_timeout_seconds: PositiveFloat = 120.0
    """A running attempt that reports nothing for this long is lost."""
    stop_timeout_seconds: PositiveFloat = 60.0
    """Time Ray has to confirm that a stopped run has ended."""
    pause_timeout_seconds: PositiveFloat = 3600.0
    """Time a run has to end its step and write a checkpoint when it is asked to pause."""
    exit_grace_seconds: PositiveFloat = 30.0
    """Time a run has to exit by itself after its last report."""

    local_ray_port: int = Field(default=8265, ge=1, le=65535)
    """Port of the dashboard of a local Ray."""
    local_ray_cpus: PositiveInt = 4
    """Logical CPUs of a local Ray: what its actors can reserve, whatever the machine has."""
    local_ray_object_store_mib: PositiveInt = 200
    """Shared memory of a local Ray."""
    local_ray_timeout_seconds: PositiveFloat = 180.0
    """Time a local Ray has to start."""

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        return folder.expanduser().resolve()

    @field_validator("object_store")
    @classmethod
    def _address(cls, address: str) -> str:
        problem = address_problem(address) if address else None
        if problem is not None:
            raise ValueError(problem)
        return address.rstrip("/")

    @field_validator("first_key")
    @classmethod
    def _key(cls, given: SecretStr) -> SecretStr:
        key = SecretStr(given.get_secret_value().strip())
        if key and key_id(key.get_secret_value()) is None:
            raise ValueError(
                "this is no key: its form is rkd_<id>_<secret>, and `rkd keys make-first` makes one"
            )
        return key

    @field_validator("allowed_paths", mode="before")
    @classmethod
    def _listed_paths(cls, given: Any) -> Any:
        return _listed(given, os.pathsep)

    @field_validator("allowed_paths")
    @classmethod
    def _absolute_paths(cls, folders: tuple[Path, ...] | None) -> tuple[Path, ...] | None:
        if folders is None:
            return None
        return tuple(Path(os.path.abspath(folder.expanduser())) for folder in folders)

    @field_validator("allowed_models", mode="before")
    @classmethod
    def _listed_models(cls, given: Any) -> Any:
        return _listed(given, ",")

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _listed_hosts(cls, given: Any) -> Any:
        return _listed(given, ",")

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [name for name in names if HOST_NAME.fullmatch(name) is None]
        if wrong:
            raise ValueError(
                f"{wrong[0]!r} is no host name: give names such as rkd.example.org or "
                "*.example.org, without scheme and port"
            )
        return names

    @field_validator("allowed_models")
    @classmethod
    def _patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        problems = [found for found in map(pattern_problem, patterns) if found is not None]
        if problems:
            raise ValueError("; ".join(problems))
        return patterns

    @field_validator("trackers")
    @classmethod
    def _tracking_servers(cls, servers: dict[str, str]) -> dict[str, str]:
        problems = [found for one in servers.items() if (found := server_problem(*one)) is not None]
        if problems:
            raise ValueError("; ".join(problems))
        return servers

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the API."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in use."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'rkd.db'}"

    @property
    def control_url(self) -> str:
        """The base URL that runs report to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url.rstrip("/") or f"http://{host}:{self.port}"

    @property
    def ray_token(self) -> str:
        """Ray's token, or an empty string where there is none."""
        path = self.ray_auth_token_path.expanduser()
        given = self.ray_auth_token.get_secret_value()
        return given or (path.read_text().strip() if path.is_file() else "")

    @property
    def run_storage(self) -> dict[str, str]:
        """The part of a run's environment that says where records go. Each node that shares no
        folder has a data folder of its own."""
        if self.object_store:
            return {"RKD_OBJECT_STORE": self.object_store}
        return {"RKD_DATA_DIR": str(self.data_dir)}

    def job_dir(self, job_id: str) -> Path:
        """The folder of one job's files."""
        return self.data_dir / "runs" / job_id


def _listed(given: Any, separator: str) -> Any:
    """A list as environment variables have it: JSON, or parts between separators."""
    if not isinstance(given, str):
        return given
    if given.lstrip().startswith("["):
        return json.loads(given)
    return [part.strip() for part in given.split(separator) if part.strip()]
