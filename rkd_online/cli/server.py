"""``rkd serve`` and ``rkd demo``: the control plane, alone or with a Ray of its own."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path, typer.Option(envvar="RKD_DATA_DIR", help="Folder of the database and all records.")
]
Port = Annotated[int, typer.Option(help="Port of the API.")]
DashboardPort = Annotated[int, typer.Option(help="Port of the local Ray's dashboard.")]
DEFAULT_DATA = Path(".rkd")


def serve(
    port: Port = 8420,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    data_dir: DataDir = DEFAULT_DATA,
    local_ray: Annotated[
        bool, typer.Option("--local-ray", help="Start a Ray on this machine and end it with us.")
    ] = False,
    ray_address: Annotated[
        str, typer.Option(envvar="RKD_RAY_ADDRESS", help="Dashboard of the Ray to run jobs on.")
    ] = "http://127.0.0.1:8265",
    dashboard_port: DashboardPort = 8265,
) -> None:
    """Serve the REST API and start jobs on Ray until interrupted."""
    from rkd_online.service.server import serve as serve_forever
    from rkd_online.service.settings import Settings

    settings = Settings(
        data_dir=data_dir,
        host=host,
        port=port,
        ray_address=ray_address,
        local_ray_port=dashboard_port,
    )
    serve_forever(settings, local_ray=local_ray)


def demo(
    spec: Annotated[Path, typer.Option(help="The job to run.")] = Path("examples/quickstart.yaml"),
    port: Port = 8420,
    data_dir: DataDir = DEFAULT_DATA,
    dashboard_port: DashboardPort = 8265,
) -> None:
    """Start the control plane and a local Ray, run one job through REST, show what it gained."""
    from rkd_online.cli.demo import run_demo

    run_demo(spec, port=port, data_dir=data_dir, dashboard_port=dashboard_port)
