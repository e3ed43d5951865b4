"""``rkd keys``: API keys of a control plane."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.text import Text

from rkd_online.cli.amounts import moment_to_come
from rkd_online.cli.connection import connect
from rkd_online.cli.documents import one_page, show_document
from rkd_online.cli.hints import DEFAULT_URL, examples
from rkd_online.cli.lines import complain, moment, say, show_sheet, show_table
from rkd_online.cli.options import AsJson, ForProject, KeyId, OfProject, Url
from rkd_online.service.access.keys import new_key
from rkd_online.service.access.scope import Scope

if TYPE_CHECKING:
    from rkd_online.service.schemas.access import KeyRecord, NewKeyRecord

MOST = 100
NAMES = ("key", "name", "project", "scope", "made", "used", "state")
app = typer.Typer(help="API keys: make, list, show, rotate, revoke.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="What it is for.", metavar="NAME", show_default=False)]
Allows = Annotated[
    Scope,
    typer.Option(
        metavar="SCOPE",
        help="viewer looks, submitter also runs jobs, admin also manages keys and quotas.",
    ),
]
Expires = Annotated[
    datetime | None,
    typer.Option(
        parser=moment_to_come, metavar="TIME", help="When it ends by itself: a date, or 90d."
    ),
]


@app.command(
    epilog=examples(
        "rkd keys make 'Ada, laptop' --project research --scope submitter --expires 90d",
        "rkd keys make dashboard --scope viewer > dashboard.key",
    )
)
def make(
    name: Name,
    scope: Allows = Scope.SUBMITTER,
    project: ForProject = None,
    expires: Expires = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is printed this once, alone on standard output."""
    made = connect(url).make_key(name, scope, project=project, expires_at=expires)
    _show_new(made, as_json)


@app.command("make-first", epilog=examples("rkd keys make-first > key"))
def make_first(as_json: AsJson = False) -> None:
    """Print a key for RKD_FIRST_KEY, which a control plane without any key takes. None is asked."""
    key = new_key()
    if as_json:
        show_document({"id": key.id, "key": str(key)})
    else:
        typer.echo(key)


@app.command("list", epilog=examples("rkd keys list --project research"))
def list_keys(project: OfProject = None, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List all keys, newest first, without their secrets."""
    page = one_page(connect(url).all_keys(project=project, limit=MOST))
    if as_json:
        show_document(page)
    else:
        show_table(NAMES, (_row(key) for key in page.data))


@app.command(epilog=examples("rkd keys show 4n8q1zx70vbd"))
def show(key: KeyId, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show one key, without its secret."""
    found = connect(url).key(key)
    if as_json:
        show_document(found)
    else:
        show_sheet(zip(NAMES, _row(found), strict=True))


@app.command(epilog=examples("rkd keys rotate 4n8q1zx70vbd"))
def rotate(key: KeyId, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Make a key that is good for the same, and revoke the old one, in one step."""
    _show_new(connect(url).rotate_key(key), as_json)


@app.command(epilog=examples("rkd keys revoke 4n8q1zx70vbd"))
def revoke(key: KeyId, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """End a key at once."""
    ended = connect(url).revoke_key(key)
    if as_json:
        show_document(ended)
    else:
        say(f"key {ended.id} ({escape(ended.name)}) is revoked")


def _show_new(made: "NewKeyRecord", as_json: bool) -> None:
    if as_json:
        show_document(made)
        return
    project = f"the project {made.project}" if made.project else "all projects"
    until = f" until {moment(made.expires_at)}" if made.expires_at else ""
    complain(
        f"made key [bold]{made.id}[/] ({escape(made.name)}): {made.scope} of {project}{until}; it "
        "is shown this once"
    )
    typer.echo(made.key)


def _row(key: "KeyRecord") -> tuple[str | Text, ...]:
    return (
        key.id,
        key.name,
        key.project or "all",
        str(key.scope),
        moment(key.created_at),
        moment(key.last_used_at) or "never",
        _state(key),
    )


def _state(key: "KeyRecord") -> Text:
    if key.revoked_at:
        return Text(f"revoked {moment(key.revoked_at)}", "red")
    if key.expires_at is None:
        return Text("good", "green")
    if key.expires_at <= datetime.now(UTC):
        return Text(f"expired {moment(key.expires_at)}", "red")
    return Text(f"until {moment(key.expires_at)}", "green")
