"""Commands that measure models and compare what was measured."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rkd_online.cli.pairs import CHANGES
from rkd_online.types import Split

Models = Annotated[
    list[str],
    typer.Argument(
        help="One or several, each a folder in Hugging Face format (such as a checkpoint), "
        "zoo:PAIR/NAME or hf:ORG/NAME@REVISION.",
        metavar="MODEL",
        show_default=False,
    ),
]
Task = Annotated[
    str,
    typer.Argument(
        help="The file of a job, or chain_sum, or reasoning_gym/DATASET.",
        metavar="TASK",
        show_default=False,
    ),
]
Prompts = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="How many prompts.", show_default="the job's, or 256"),
]
Samples = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Answers to each prompt; pass@k is shown for k up to it.",
        show_default="the job's, or 4",
    ),
]
Decodings = Annotated[
    list[str] | None,
    typer.Option(
        "--decoding",
        help="temperature_1, papers (temperature 0.6, top-p 0.95) or greedy; may come repeatedly.",
        metavar="NAME",
        show_default="the job's, or temperature_1 and greedy",
    ),
]
Longest = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Tokens of the longest answer.",
        show_default="the job's, or half the models' context, 1024 at most",
    ),
]
FromSplit = Annotated[
    Split,
    typer.Option(help="Where prompts are from: test, validation or train.", metavar="SPLIT"),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        CHANGES.option,
        metavar=CHANGES.form,
        help="Any field of a job that says what is asked and on what, such as task.max_terms=3, "
        "rewards.0.extractor=boxed or resources.device=cuda; may come repeatedly.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for one JSON file per model, which compare reads.", metavar="DIR"),
]
_SIDE = (
    "A file that `rkd eval --out` wrote; JOB for its student after training; or JOB/MODEL with "
    "student-before, teacher or validation-000020 (the weights after step 20)."
)


def evaluate(
    models: Models,
    task: Task,
    prompts: Prompts = None,
    samples: Samples = None,
    decoding: Decodings = None,
    max_new_tokens: Longest = None,
    split: FromSplit = "test",
    changes: Changes = None,
    out: Out = None,
) -> None:
    """Measure models on held-out prompts, in this process and without a job.

    The others are compared with the first, prompt by prompt.
    """
    from rkd_online.cli.evaluation_run import measure_all, show, write
    from rkd_online.cli.evaluation_spec import asked, known_models, parse_changes
    from rkd_online.cli.extras import require

    given = {
        "evaluation.prompts": prompts,
        "evaluation.samples": samples,
        "evaluation.decoding": decoding or None,
        "rollout.max_new_tokens": max_new_tokens,
    }
    options = {field: value for field, value in given.items() if value is not None}
    require("eval")
    specs = asked(known_models(models), task, parse_changes(changes or []) | options)
    found = measure_all(specs, split)
    console = Console()
    show(console, found)
    if out is not None:
        write(console, found, out)


def compare(
    first: Annotated[str, typer.Argument(help=_SIDE, metavar="FIRST", show_default=False)],
    second: Annotated[str, typer.Argument(help="Likewise.", metavar="SECOND", show_default=False)],
    data_dir: Annotated[
        Path | None,
        typer.Option(envvar="RKD_DATA_DIR", help="Folder of the jobs.", show_default=".rkd"),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print JSON for programs.")
    ] = False,
) -> None:
    """Compare two models that were measured on the same prompts, prompt by prompt.

    Bold is what the 95 % interval of the difference shows.
    """
    from rkd_online.cli.comparison import compared, show_comparison
    from rkd_online.cli.extras import require
    from rkd_online.run.records import data_dir as records

    require("compare", ("numpy",))
    found = compared(first, second, records(data_dir))
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        show_comparison(found)
