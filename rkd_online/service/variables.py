"""Environment variables that nobody reads: a misspelt setting would quietly have its default."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from rkd_online.service.settings import Settings

PREFIX: Final = "RKD_"
OF_OTHERS: Final = frozenset({"RKD_API_KEY", "RKD_URL"})
"""Those of `rkd`'s other commands, which a shell may have set as well."""


def misspelt(environment: Mapping[str, str]) -> Iterator[str]:
    """A warning for each variable that looks like a setting and is none."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known | OF_OTHERS:
            close = get_close_matches(name, known, n=1)
            meant = f": did you mean {close[0]}?" if close else ""
            yield f"{name} is no setting, and nothing reads it{meant}"
