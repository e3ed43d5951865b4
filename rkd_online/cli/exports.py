"""Commands that make of a job's records what other tools read."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rkd_online.cli.hints import examples

app = typer.Typer(help="Make of a job what other tools read.", no_args_is_help=True)

Job = Annotated[
    str,
    typer.Argument(help="A job, by the name of its folder.", metavar="JOB", show_default=False),
]
Out = Annotated[
    Path,
    typer.Option(help="Folder to write; nothing may be in it.", metavar="DIR", show_default=False),
]
DataDir = Annotated[
    Path | None,
    typer.Option(envvar="RKD_DATA_DIR", help="Folder of the jobs.", show_default=".rkd"),
]
Force = Annotated[
    bool, typer.Option("--force", metavar="", help="Replace an earlier export in that folder.")
]


@app.command(
    "checkpoint",
    epilog=examples(
        "rkd export checkpoint quickstart --out student",
        "rkd export checkpoint quickstart --step 40 --out student-40",
    ),
)
def checkpoint(
    job: Job,
    out: Out,
    step: Annotated[
        str,
        typer.Option(
            help="The step after which it was written, or last, or best "
            "(by the job's checkpoint.best_metric).",
            metavar="N",
        ),
    ] = "last",
    force: Force = False,
    data_dir: DataDir = None,
) -> None:
    """Write a checkpoint for transformers, vLLM and the hub, with a model card.

    The last checkpoint is the one that the job's report measured.
    """
    from rkd_online.cli.extras import require
    from rkd_online.run.records import data_dir as records

    require("export", ("torch", "transformers"))
    from rkd_online.export.checkpoint import export_checkpoint
    from rkd_online.export.choice import choose_checkpoint
    from rkd_online.export.source import records_of

    with records_of(records(data_dir), job) as source:
        chosen = choose_checkpoint(source.job, step)
        source.need_checkpoint(chosen.path)
        export_checkpoint(source.job, chosen, out, force=force)
    _say(f"written: {out}, the weights of {job} after step {chosen.step}")


@app.command(
    "rollouts",
    epilog=examples(
        "rkd export rollouts quickstart --out rollouts",
        "rkd export rollouts job-01m86x99ydxzq1b3 --out rollouts --data-dir /data/rkd",
    ),
)
def rollouts(job: Job, out: Out, force: Force = False, data_dir: DataDir = None) -> None:
    """Write a job's scored rollouts as a data set, of a job that runs too.

    load_dataset of Hugging Face's datasets reads the folder, and a job with rollout.source.type
    store learns from it.
    """
    from rkd_online.cli.extras import require
    from rkd_online.run.records import data_dir as records

    require("export", ("pyarrow", "transformers"))
    from rkd_online.export.rollouts import export_rollouts
    from rkd_online.export.source import records_of

    with records_of(records(data_dir), job) as source:
        source.need_rollouts()
        found = export_rollouts(source.job, out, force=force)
    _say(f"written: {out}, {found.rows:,} rollouts of {found.groups:,} prompts")


def _say(words: str) -> None:
    Console().print(words, highlight=False, markup=False, soft_wrap=True)
