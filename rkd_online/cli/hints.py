"""Commands as a user would type them: in messages, and as examples below a command's help."""

import os

from rich.markup import escape

DEFAULT_URL = "http://127.0.0.1:8420"


def examples(*commands: str) -> str:
    """The end of a help page."""
    lines = (f"  $ {escape(command)}" for command in commands)
    return "\n".join(("[bold]Examples[/]", *lines))


def hint(command: str, url: str) -> str:
    """``rkd COMMAND``, with the control plane's address unless rkd takes that by itself."""
    known = os.environ.get("RKD_URL", DEFAULT_URL)
    return f"rkd {command}" if url == known else f"rkd {command} --url {url}"
