"""A store of scored rollouts as a folder: what it says of itself, without any library for data."""

from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, NonNegativeInt, PositiveInt
from pydantic import ValidationError as Invalid

from rkd_online.errors import RecordError

STORE: Final = "store.json"
SHARDS: Final = "data"
"""Folder of its Parquet files, which are read in the order of their names."""


class StoreManifest(BaseModel):
    """``store.json``, written last: a folder without it is no store."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    format: Literal[1] = 1
    """Version of the columns."""
    source: str
    """The job or the model whose rollouts these are."""
    task: str
    """Name of the task."""
    sampled_by: str
    """The model that sampled them."""
    judged_by: str | None
    """The model whose log-probs are the teacher's; null without one."""
    tokenizer: str
    """Digest of what its token ids mean."""
    end_token_ids: tuple[NonNegativeInt, ...]
    """Tokens that end a completion."""
    correct_at: float
    """A rollout is correct when its correctness is at least this."""
    groups: NonNegativeInt
    """Prompts, each with its siblings."""
    rows: PositiveInt
    """Rollouts."""
    versions: dict[str, str]
    """Version by package that sampled them."""
    created: AwareDatetime
    """When the store was written."""


def read_store_manifest(folder: Path) -> StoreManifest:
    """What a store says of itself. Raises RecordError for a folder that is none, or not of this
    release."""
    path = folder / STORE
    try:
        return StoreManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RecordError(
            f"{folder} is no store of rollouts: {STORE} cannot be read ({error.strerror}); "
            "`rkd collect` and `rkd export rollouts` write stores"
        ) from error
    except Invalid as error:
        found = error.errors(include_url=False)[0]
        place = ".".join(map(str, found["loc"])) or "the file"
        raise RecordError(
            f"{path} is not of a store that this release reads ({place}: {found['msg']}): write "
            "the store again"
        ) from error
