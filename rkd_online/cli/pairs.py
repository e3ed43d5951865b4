"""Options of the form ``NAME=VALUE``, which may be given several times."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import typer


@dataclass(frozen=True, slots=True)
class Pairs:
    """How one such option is written."""

    option: str
    form: str
    example: str
    empty: bool = True
    """Whether there may be nothing behind the equals sign."""

    def read(self, given: Sequence[str] | None) -> dict[str, str]:
        """Values by name; the last one of a name counts. Raises BadParameter."""
        parted = [(one, *one.partition("=")) for one in given or ()]
        for whole, name, equals, value in parted:
            if not (name and equals and (value or self.empty)):
                raise typer.BadParameter(
                    f"{self.option} {whole!r} is not of the form {self.form}, as {self.example}"
                )
        return {name: value for _, name, _, value in parted}


LABELS: Final = Pairs("--label", "NAME=VALUE", "team=research")
CHANGES: Final = Pairs("--set", "FIELD=VALUE", "task.max_terms=3")
CONFIGS: Final = Pairs("--config", "NAME=PATH", "policy=config.json", empty=False)
