"""Which models of the hub a job may name: patterns of names, and revisions that cannot change."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

_WORD: Final = r"[A-Za-z0-9*][A-Za-z0-9_.*-]*"
_PATTERN: Final = re.compile(rf"hf:{_WORD}/{_WORD}(@[A-Za-z0-9_.*][A-Za-z0-9_.*/-]*)?")
_REFERENCE: Final = re.compile(
    r"(?P<name>hf:[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*)"
    r"@(?P<revision>[A-Za-z0-9_.][A-Za-z0-9_./-]*)"
)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


def pattern_problem(pattern: str) -> str | None:
    """Why this is no pattern of hub models; None where it is one."""
    if _PATTERN.fullmatch(pattern):
        return None
    return (
        f"{pattern!r} is not of the form hf:ORG/NAME or hf:ORG/NAME@REVISION, with * for any signs"
    )


def hub_problem(reference: str, patterns: Sequence[str]) -> str | None:
    """Why a job may not name this model; None where it may.

    A pattern without revision allows commits alone, one with a revision what it says.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None or ".." in reference:
        return (
            f"{reference!r:.200} is not of the form hf:ORG/NAME@REVISION; the revision is a full "
            "commit id of 40 hexadecimal digits"
        )
    name, revision = match["name"], match["revision"]
    pinned = _COMMIT.fullmatch(revision) is not None
    if any(_allows(pattern, name, revision, pinned=pinned) for pattern in patterns):
        return None
    known = any(fnmatchcase(name, pattern.partition("@")[0]) for pattern in patterns)
    if known and not pinned:
        return _unpinned(reference, name, revision)
    return f"{reference!r} is none of the models that jobs may name: {', '.join(patterns)}"


def _allows(pattern: str, name: str, revision: str, *, pinned: bool) -> bool:
    names, _, revisions = pattern.partition("@")
    if not fnmatchcase(name, names):
        return False
    return fnmatchcase(revision, revisions) if revisions else pinned


def _unpinned(reference: str, name: str, revision: str) -> str:
    repository = name.removeprefix("hf:")
    return (
        f"{reference!r} names a branch, a tag or a part of a commit id, which may become other "
        f"weights: write the full commit id, {name}@ and 40 hexadecimal digits; `git ls-remote "
        f"https://huggingface.co/{repository} {revision}` prints that of a branch or tag"
    )
