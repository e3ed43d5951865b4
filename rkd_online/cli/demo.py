"""``rkd demo``: everything at once, as a newcomer would type it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import typer
from rich.console import Console

from rkd_online.cli.connection import connect_to_own
from rkd_online.cli.local import INTERRUPTED, checked
from rkd_online.cli.reports import show_job_report
from rkd_online.cli.watching import follow
from rkd_online.errors import ServiceError
from rkd_online.service.server import listen
from rkd_online.service.settings import Settings

START_SECONDS = 240.0
STOP_SECONDS = 90.0
ERROR = "error: "
"""How rkd begins the line of an error."""


def run_demo(spec: Path, *, port: int, data_dir: Path, dashboard_port: int) -> None:
    """Serve, submit, follow, report; ends the control plane and the Ray that it started."""
    console = Console()
    job = checked(spec).model_dump(mode="json")
    url = f"http://127.0.0.1:{port}"
    with control_plane(console, port, data_dir, dashboard_port):
        client = connect_to_own(url, data_dir)
        record = client.submit(job)
        console.print(f"submitted [bold]{record.id}[/] ({record.name}) to {url}", highlight=False)
        console.print(
            f"Ray dashboard: http://127.0.0.1:{dashboard_port} "
            f"(its token is in {data_dir}/ray-token)",
            highlight=False,
            soft_wrap=True,
        )
        try:
            follow(client, record.id)
        except KeyboardInterrupt:
            client.cancel(record.id)
            console.print(f"[bold yellow]stopped[/]: {record.id} is cancelled", highlight=False)
            raise typer.Exit(INTERRUPTED) from None
        show_job_report(client, record.id)


@contextmanager
def control_plane(
    console: Console, port: int, data_dir: Path, dashboard_port: int
) -> Iterator[None]:
    """``rkd serve --local-ray`` in a process of its own, ended by SIGTERM.

    Whatever else answers at the port would pass for it, so the port must be free.
    """
    with listen(Settings(data_dir=data_dir, host="127.0.0.1", port=port)):
        pass
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir.resolve() / "demo-serve.log"
    with log.open("wb") as output, _ended_like_ctrl_c():
        # In a session of its own: Ctrl-C comes to us, and we end it in order.
        process = subprocess.Popen(
            _serve(port, data_dir, dashboard_port),
            stdout=output,
            stderr=subprocess.STDOUT,
            env={"RKD_LOG_FORMAT": "text", **os.environ},  # its last words are shown to people
            start_new_session=True,
        )
        try:
            with _waiting(console, "starting the control plane and a local Ray"):
                _wait_until_up(process, f"http://127.0.0.1:{port}", log)
            yield
        finally:
            with _waiting(console, "ending the control plane and its Ray"):
                _end(process, log)


@contextmanager
def _waiting(console: Console, what: str) -> Iterator[None]:
    """A spinner, or a line where the output is no terminal."""
    if not console.is_terminal:
        console.print(f"{what} ...", highlight=False)
        yield
        return
    with console.status(what):
        yield


def _serve(port: int, data_dir: Path, dashboard_port: int) -> list[str]:
    command = [sys.executable, "-m", "rkd_online.cli", "serve", "--local-ray"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--data-dir", str(data_dir)]
    return [*command, "--dashboard-port", str(dashboard_port)]


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """SIGTERM and a closed terminal must not leave the control plane behind."""
    signals = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.default_int_handler) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _end(process: "subprocess.Popen[bytes]", log: Path) -> None:
    """An impatient second Ctrl-C changes nothing."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise ServiceError(
            f"the control plane did not end within {STOP_SECONDS:.0f} s of SIGTERM; see {log}"
        ) from None
    finally:
        signal.signal(signal.SIGINT, before)


def _wait_until_up(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServiceError(_last_words(log))
        try:
            if httpx.get(f"{url}/readyz", timeout=5.0).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise ServiceError(f"{url}/readyz did not answer within {START_SECONDS:.0f} s; see {log}")


def _last_words(log: Path) -> str:
    """The error that the control plane ended with, or the end of its log."""
    lines = log.read_text(errors="replace").strip().splitlines()
    for number, line in enumerate(lines):
        if line.startswith(ERROR):
            return "\n".join([line.removeprefix(ERROR), *lines[number + 1 :]])
    return "\n".join([f"the control plane did not start; {log} ends:", *lines[-5:]])
