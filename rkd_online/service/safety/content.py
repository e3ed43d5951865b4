"""Model folders that ask for code of their own."""

from pathlib import Path

from rkd_online.errors import ModelError
from rkd_online.spec.model_files import foreign_code


def code_problem(folder: Path) -> str | None:
    """Why the settings of a model are refused; None where they ask for no code, or where the job's
    own check will say that they cannot be read."""
    try:
        files = foreign_code(folder)
    except (ModelError, OSError):
        return None
    if not files:
        return None
    return (
        f"asks for code of its own (auto_map in {', '.join(files)}), which is never run: take "
        "auto_map out where transformers has the architecture itself, or choose another model"
    )
