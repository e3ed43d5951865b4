"""Model folders: found, fetched, and what their configurations say.

Imports neither torch nor the models of transformers, which take seconds: the start of a job reads
folders while its workers import those.
"""

from pathlib import Path
from typing import Final

from rkd_online.errors import ModelError
from rkd_online.spec.model_files import foreign_code, read_model
from rkd_online.spec.references import (
    is_hub_reference,
    parse_hub_reference,
    resolve_model,
)

HUB_FILES: Final = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model")
"""What a model consists of; pickle weights and code are never fetched."""


def resolve_for_run(reference: str) -> Path:
    """The folder of any model reference; one of the hub is fetched into the hub's own cache."""
    if not is_hub_reference(reference):
        return resolve_model(reference)
    from huggingface_hub import snapshot_download

    model = parse_hub_reference(reference)
    try:
        folder = snapshot_download(
            model.name, revision=model.revision, allow_patterns=list(HUB_FILES)
        )
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot fetch {reference}: {error}") from error
    return Path(folder)


def context_length(folder: Path) -> int:
    """Longest sequence that a model takes, in tokens; where its configuration leaves it out, that
    of its architecture."""
    length = read_model(folder).context_length or _architecture_context(folder)
    if length is None:
        raise ModelError(f"{folder / 'config.json'} has no max_position_embeddings: add it")
    return length


def vocabulary_size(folder: Path) -> int:
    """Rows of a model's embedding, padding included."""
    return read_model(folder).vocabulary_size


def check_architecture(folder: Path) -> None:
    """Raise ModelError for a model that only code of its own folder could compute."""
    if foreign_code(folder):
        from rkd_online.models.load import text_config

        text_config(folder)


def unreadable(doing: str, folder: Path, error: Exception) -> ModelError:
    """What to say of a folder that transformers refuses. Where it asks for ``trust_remote_code`` it
    names a switch that nothing here can turn on."""
    if "trust_remote_code" in str(error):
        files = ", ".join(foreign_code(folder)) or "its settings"
        return ModelError(
            f"cannot {doing} in {folder}: it needs code that the folder brings along (auto_map in "
            f"{files}), which is never run: choose a model that transformers has itself"
        )
    return ModelError(f"cannot {doing} in {folder}: {error}")


def _architecture_context(folder: Path) -> int | None:
    from rkd_online.models.load import text_config

    length = getattr(text_config(folder), "max_position_embeddings", None)
    return None if length is None else int(length)
