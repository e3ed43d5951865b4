"""``rkd login``, ``logout``, ``whoami`` and ``health``: who asks, and whether anybody answers."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from rkd_online.cli import logins
from rkd_online.cli.connection import VARIABLE, connect, find_key
from rkd_online.cli.documents import show_document
from rkd_online.cli.hints import DEFAULT_URL, hint
from rkd_online.cli.lines import say
from rkd_online.cli.options import AsJson, Url, address
from rkd_online.errors import ServiceError

if TYPE_CHECKING:
    from rkd_online.service.schemas.access import WhoAmI


def login(
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            envvar="RKD_URL",
            help="Address of the control plane; asked for where none is given.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Keep an API key for a control plane, after asking it whose key that is.

    The key is read without being shown, or from standard input where that is no terminal.
    """
    from rkd_online.client import Client, ProblemError

    place = address(url or _asked_address())
    key = _asked_key()
    try:
        with Client(place, key, retry_seconds=0) as client:
            who = client.whoami()
    except ProblemError as error:
        if error.status != 401:
            raise
        raise ServiceError(
            f"{place} does not know this key, or it is expired or revoked: nothing is kept"
        ) from error
    logins.keep(place, key)
    if as_json:
        show_document(who)
    else:
        _welcome(who, place)


def _welcome(who: "WhoAmI", url: str) -> None:
    where = "all projects" if who.project is None else f"the project {who.project}"
    say(f"logged in at {url} as [bold]{escape(who.name)}[/], {who.scope} of {where}")
    say(f"the key is kept in {logins.place()}")
    if os.environ.get(VARIABLE, "").strip():
        say(f"[yellow]{VARIABLE} is set, and goes before what is kept[/]")


def logout(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Forget the key that is kept for a control plane. The key itself stays good."""
    known = logins.forget(url)
    if as_json:
        show_document({"url": url, "forgotten": known})
    elif known:
        say(f"forgot the key for {url}; `{hint('keys revoke KEY', url)}` would end it")
    else:
        say(f"no key is kept for {url}")


def whoami(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show whose key this is, what it is good for and where it comes from."""
    who = connect(url).whoami()
    if as_json:
        show_document(who)
        return
    project = "all projects" if who.project is None else f"the project {who.project}"
    say(f"[bold]{escape(who.name)}[/] ({who.id}): {who.scope} of {project} at {url}")
    say(f"the key comes from {find_key(url).source}")


def health(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show whether a control plane is up and does its work; exits with 1 when not."""
    client = connect(url)
    client.live()
    found = client.ready()
    if as_json:
        show_document(found)
    else:
        say(f"{url} is ready, version {found.version}")


def _asked_address() -> str:
    if not sys.stdin.isatty():
        return DEFAULT_URL
    asked: str = typer.prompt("Address of the control plane", default=DEFAULT_URL)
    return asked


def _asked_key() -> str:
    if sys.stdin.isatty():
        key = typer.prompt("API key (not shown)", hide_input=True)
    else:
        key = sys.stdin.readline()
    if not key.strip():
        raise ServiceError("no key was given: nothing is kept")
    return str(key).strip()
