"""What ``rkd serve`` says when it is up."""

import httpx
from rich.console import Console

from rkd_online import __version__
from rkd_online.cli.hints import hint
from rkd_online.service.access.keys import FIRST_KEY
from rkd_online.service.settings import Settings

PROBE_SECONDS = 3.0


def announce(settings: Settings, *, local_ray: bool) -> None:
    """Print the addresses, where Ray's token lies, and how to go on."""
    url = settings.control_url
    lines = [
        f"[bold]rkd {__version__} is up at {url}[/]",
        f"  API        {url}/v1 (try it at {url}/docs)",
        f"  dashboard  {settings.ray_address} (Ray)",
        *(f"             {words}" for words in _ray(settings, local_ray)),
        f"  records    {settings.data_dir}",
        f"  keys       {_keys(settings)}",
        f"Submit a job: {hint('submit SPEC --watch', url)}",
        "Ctrl-C ends it.",
    ]
    Console().print("\n".join(lines), highlight=False, soft_wrap=True)


def _keys(settings: Settings) -> str:
    if settings.auth == "off":
        return "off: everybody on this machine may do everything"
    file = settings.data_dir / FIRST_KEY
    if file.is_file():
        return f"the first administrator's lies in {file}"
    return "every request needs one"


def _ray(settings: Settings, local_ray: bool) -> list[str]:
    if local_ray:
        return [f"its token is in {settings.data_dir / 'ray-token'}"]
    token = f"its token is read from RAY_AUTH_TOKEN or {settings.ray_auth_token_path}"
    trouble = ray_trouble(settings)
    return [token, *([f"[bold yellow]{trouble}[/]"] if trouble else [])]


def ray_trouble(settings: Settings) -> str:
    """Why no job can start now; empty where Ray answers to our token."""
    token = settings.ray_token
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"{settings.ray_address.rstrip('/')}/api/version"
    try:
        answer = httpx.get(url, headers=headers, timeout=PROBE_SECONDS)
    except httpx.TransportError as error:
        wait = settings.launch_timeout_seconds
        return f"not reachable now ({type(error).__name__}): jobs wait {wait:g} s for it"
    if answer.is_success:
        return ""
    return f"answers {answer.status_code}: no job can start, set RAY_AUTH_TOKEN to its token"
