"""What a checkpoint says of itself, read without torch."""

import json
from pathlib import Path
from typing import Any, Final

from rkd_online.errors import CheckpointError
from rkd_online.files import MANIFEST, file_digest
from rkd_online.types import PhasePlace, Progress

FORMAT: Final = 3


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a whole checkpoint, after each file was compared with it.

    Raises CheckpointError naming the file that is missing or differs.
    """
    manifest = _parsed_manifest(folder)
    for name, recorded in manifest["files"].items():
        path = folder / name
        if not path.is_file() or file_digest(path) != recorded["sha256"]:
            raise _damaged(folder, name)
    return manifest


def read_progress(folder: Path) -> Progress:
    """How far the run was that wrote a checkpoint. Looks at the manifest alone."""
    found = _parsed_manifest(folder)
    place = found["phase"]
    phase = PhasePlace(place["index"], place["first_step"], tuple(place["values"]))
    return Progress(found["step"], found["next_group"], tuple(found["open_groups"]), phase)


def _parsed_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise CheckpointError(f"{folder} is no checkpoint: it has no {MANIFEST}") from None
    except ValueError as error:
        raise _damaged(folder, MANIFEST) from error
    if manifest["format"] != FORMAT:
        raise CheckpointError(
            f"checkpoint {folder} has format {manifest['format']}, this release reads {FORMAT}: "
            "resume with the release that wrote it"
        )
    return manifest


def _damaged(folder: Path, name: str) -> CheckpointError:
    return CheckpointError(
        f"checkpoint {folder} is damaged: {name} is missing or is not what was written; "
        "resume from an earlier checkpoint"
    )
