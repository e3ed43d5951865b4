"""``rkd serve`` and ``rkd demo``: the control plane, alone or with a Ray of its own."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rkd_online.cli.connection import DEFAULT_DATA
from rkd_online.errors import ServiceError

if TYPE_CHECKING:
    from rkd_online.service.settings import Settings

RAY = "Ray"
DataDir = Annotated[
    Path, typer.Option(envvar="RKD_DATA_DIR", help="Folder of the database and all records.")
]
Port = Annotated[
    int,
    typer.Option(envvar="RKD_PORT", metavar="PORT", min=1, max=65535, help="Port of the API."),
]
DashboardPort = Annotated[
    int,
    typer.Option(
        envvar="RKD_LOCAL_RAY_PORT",
        metavar="PORT",
        min=1,
        max=65535,
        help="Port of the local Ray's dashboard.",
        rich_help_panel=RAY,
    ),
]


def serve(
    port: Port = 8420,
    host: Annotated[
        str, typer.Option(envvar="RKD_HOST", help="Address to listen on: one of this machine.")
    ] = "127.0.0.1",
    data_dir: DataDir = DEFAULT_DATA,
    local_ray: Annotated[
        bool,
        typer.Option(
            "--local-ray",
            metavar="",
            help="Start a Ray on this machine and end it with us.",
            rich_help_panel=RAY,
        ),
    ] = False,
    ray_address: Annotated[
        str,
        typer.Option(
            envvar="RKD_RAY_ADDRESS",
            help="Dashboard of the Ray to run jobs on.",
            rich_help_panel=RAY,
        ),
    ] = "http://127.0.0.1:8265",
    dashboard_port: DashboardPort = 8265,
) -> None:
    """Serve the REST API and start jobs on Ray until interrupted.

    Jobs are kept: what waits or runs when this ends goes on with the next serve on the same folder.
    """
    from rkd_online.cli.announcement import announce
    from rkd_online.service.server import serve as serve_forever

    settings = settings_of(
        data_dir=data_dir,
        host=host,
        port=port,
        ray_address=ray_address,
        local_ray_port=dashboard_port,
    )
    serve_forever(settings, local_ray=local_ray, announce=partial(announce, local_ray=local_ray))
    typer.echo("ended; the jobs are kept")


def settings_of(**given: Any) -> "Settings":
    """Settings with these values, else those of the environment. Raises ServiceError with a line
    for each that is wrong."""
    from pydantic import ValidationError

    from rkd_online.service.settings import Settings

    try:
        return Settings(**given)
    except ValidationError as error:
        raise ServiceError("\n".join(_line(found) for found in error.errors())) from error


def _line(found: Any) -> str:
    from rkd_online.service.safety.secret_text import HIDDEN, is_secret_name, without_secrets

    name = "_".join(str(part) for part in found["loc"]).upper().removeprefix("RKD_")
    value = HIDDEN if is_secret_name(name) else repr(found["input"])
    # An address may have a password in it, and this goes to the log of a pod.
    return without_secrets(f"RKD_{name} is {value}: {found['msg']}", ())


def demo(
    spec: Annotated[Path, typer.Option(help="The job to run.", metavar="SPEC")] = Path(
        "examples/quickstart.yaml"
    ),
    port: Port = 8420,
    data_dir: DataDir = DEFAULT_DATA,
    dashboard_port: DashboardPort = 8265,
) -> None:
    """Start the control plane and a local Ray, run one job through REST, show what it gained."""
    from rkd_online.cli.demo import run_demo
    from rkd_online.cli.extras import RUN, require

    require("demo", (*RUN, "ray"))
    run_demo(spec, port=port, data_dir=data_dir, dashboard_port=dashboard_port)
