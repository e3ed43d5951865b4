"""Distributions as pip leaves them: a module and what importlib.metadata reads of it."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from rkd_online.spec.installed import GROUP


def install(folder: Path, module: str, source: str, points: Mapping[str, str]) -> None:
    """Put a module with its entry points (name to ``module:object``) into a folder of packages."""
    (folder / f"{module}.py").write_text(dedent(source))
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    lines = [f"[{GROUP}]", *(f"{name} = {value}" for name, value in points.items())]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
