"""The command that collects a model's samples into a store."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rkd_online.cli.evaluation import Changes, Longest, Task

Model = Annotated[
    str,
    typer.Argument(
        help="A folder in Hugging Face format, zoo:PAIR/NAME or hf:ORG/NAME@REVISION.",
        metavar="MODEL",
        show_default=False,
    ),
]
Prompts = Annotated[
    int, typer.Option(min=1, metavar="N", help="How many prompts of the training split.")
]
Samples = Annotated[int, typer.Option(min=1, metavar="N", help="Completions of each prompt.")]
Temperature = Annotated[
    float, typer.Option(metavar="T", help="Of the sampling, above 0; 1 is the model's own.")
]
Out = Annotated[
    Path,
    typer.Option(
        help="Folder of the store; one with an unfinished collection goes on.",
        metavar="DIR",
        show_default=False,
    ),
]


def collect(
    model: Model,
    task: Task,
    out: Out,
    prompts: Prompts = 1024,
    samples: Samples = 4,
    temperature: Temperature = 1.0,
    max_new_tokens: Longest = None,
    changes: Changes = None,
) -> None:
    """Sample a model on training prompts, judge it, and write a store to learn from.

    One that was cut goes on when the same command is given again.
    """
    from rkd_online.cli.evaluation_run import progress_bar
    from rkd_online.cli.evaluation_spec import asked, known_models, parse_changes
    from rkd_online.cli.extras import require
    from rkd_online.run.collection_folder import begin

    options = {
        "evaluation.prompts": prompts,
        "evaluation.samples": samples,
        "rollout.temperature": temperature,
    }
    if max_new_tokens is not None:
        options["rollout.max_new_tokens"] = max_new_tokens
    require("collect")
    specs = asked(known_models([model]), task, parse_changes(changes or []) | options)
    ((name, spec),) = specs.items()
    place = out.expanduser().resolve()
    begin(spec, place)
    with progress_bar(spec.resources.device, f"{name}: loading") as watch:
        from rkd_online.run.collect import collect as run

        found = run(spec, name, place, watch)
    Console().print(
        f"written: {out}, {found.rows:,} completions of {found.groups:,} prompts",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
