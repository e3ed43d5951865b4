"""A checkpoint as a folder that knows nothing of its job: what any Hugging Face tool loads."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rkd_online.export.choice import ChosenCheckpoint, KnownJob
from rkd_online.export.folder import PROVENANCE, export_folder
from rkd_online.export.measured import measured
from rkd_online.export.model_card import Origin, model_card
from rkd_online.export.template import plain_template
from rkd_online.learning.checkpoint import GENERATION_CONFIG, STATE
from rkd_online.learning.manifest import read_manifest
from rkd_online.models.tokenizer import load_tokenizer
from rkd_online.run.records import AttemptFolder
from rkd_online.run.setup_record import SetupRecord, read_setup, spec_digest
from rkd_online.spec.task import ChatPrompt, Prompt

if TYPE_CHECKING:
    from rkd_online.models.tokenizer import Tokenizer

CARD: Final = "README.md"
TEMPLATE: Final = "chat_template.jinja"
OWN: Final = "The folder's chat template is the tokenizer's own, which the job did not use."
MADE: Final = "The folder's chat template writes a message as the job did: its text alone."
NONE: Final = "The folder has no chat template: none gives the ids that this tokenizer makes."


def export_checkpoint(job: KnownJob, chosen: ChosenCheckpoint, out: Path, *, force: bool) -> None:
    """Write the checkpoint with a model card, whole or not at all.

    Raises CheckpointError where it is damaged, and RecordError where ``out`` cannot be written.
    """
    files = [name for name in read_manifest(chosen.path)["files"] if Path(name) != STATE]
    setup = read_setup(AttemptFolder(chosen.path.parents[1]).setup)
    origin = Origin(
        job=job.name,
        step=chosen.step,
        spec=job.spec,
        spec_digest=spec_digest(job.spec),
        versions=setup.versions,
    )
    with export_folder(out, force=force) as folder:
        for name in files:
            shutil.copyfile(chosen.path / name, folder / name)
        _end_where_the_job_did(folder / GENERATION_CONFIG, setup)
        words = _template(folder, load_tokenizer(folder), job.spec.prompt)
        (folder / PROVENANCE).write_text(_provenance(origin, setup))
        card = model_card(origin, measured(job.run, chosen.step), template=words)
        (folder / CARD).write_text(card, encoding="utf-8")


def _end_where_the_job_did(file: Path, setup: SetupRecord) -> None:
    """The policy may have learned to end as its teacher does, by another token than its own."""
    settings = json.loads(file.read_bytes()) if file.is_file() else {}
    settings["eos_token_id"] = list(setup.end_token_ids)
    file.write_text(json.dumps(settings, indent=2) + "\n")


def _template(folder: Path, tokenizer: "Tokenizer", prompt: Prompt) -> str:
    """See to the folder's chat template; returns what it does, for a job with plain prompts."""
    if isinstance(prompt, ChatPrompt) or tokenizer.chat_template is not None:
        return OWN
    template = plain_template(tokenizer)
    if template is None:
        return NONE
    (folder / TEMPLATE).write_text(template, encoding="utf-8")
    return MADE


def _provenance(origin: Origin, setup: SetupRecord) -> str:
    found = {
        "job": origin.job,
        "step": origin.step,
        "seed": origin.spec.seed,
        "spec_digest": origin.spec_digest,
        "tokenizer": setup.tokenizer,
        "end_token_ids": setup.end_token_ids,
        "versions": dict(origin.versions),
    }
    return json.dumps(found, indent=2) + "\n"
