"""``rkd plan``: what a job takes of memory and GPUs, before anything is fetched or started."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rkd_online.cli.local import SpecPath
from rkd_online.cli.options import AsJson
from rkd_online.cli.pairs import CONFIGS
from rkd_online.cli.sizes import memory_size

if TYPE_CHECKING:
    from rkd_online.spec.sizing.gpus import Gpu

GPUS = "What there is"
LENGTHS = "What is expected"
Gpus = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=256,
        metavar="N",
        help="GPUs that there are: a job of more is refused, and a split of them is suggested.",
        show_default=False,
        rich_help_panel=GPUS,
    ),
]
GpuName = Annotated[
    str,
    typer.Option(
        "--gpu",
        metavar="TYPE",
        help="Their type: a100-40gb, a100-80gb, h100, h200 or l40s.",
        rich_help_panel=GPUS,
    ),
]
GpuMemory = Annotated[
    int | None,
    typer.Option(
        parser=memory_size,
        metavar="SIZE",
        help="Memory of each, such as 80GiB.",
        show_default="that of its type",
        rich_help_panel=GPUS,
    ),
]
Usable = Annotated[
    float,
    typer.Option(
        min=0.05,
        max=1.0,
        metavar="SHARE",
        help="Share of it that a plan may use: the rest is for CUDA, graphs and fragmentation.",
        rich_help_panel=GPUS,
    ),
]
HostMemory = Annotated[
    int | None,
    typer.Option(
        "--memory",
        parser=memory_size,
        metavar="SIZE",
        help="Memory of the machine, for a job on a CPU.",
        show_default=False,
        rich_help_panel=GPUS,
    ),
]
MeanNew = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="TOKENS",
        help="Mean length of a completion.",
        show_default="half the longest",
        rich_help_panel=LENGTHS,
    ),
]
MeanPrompt = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="TOKENS",
        help="Mean length of a prompt.",
        show_default="half the longest",
        rich_help_panel=LENGTHS,
    ),
]
Configs = Annotated[
    list[str] | None,
    typer.Option(
        CONFIGS.option,
        metavar=CONFIGS.form,
        help="config.json of a model, by its name in the job: policy, teacher, or the path of a "
        "part's teacher.",
        show_default=False,
    ),
]


def plan(
    spec: SpecPath,
    gpus: Gpus = None,
    gpu: GpuName = "h100",
    gpu_memory: GpuMemory = None,
    usable: Usable = 0.9,
    memory: HostMemory = None,
    mean_new_tokens: MeanNew = None,
    mean_prompt_tokens: MeanPrompt = None,
    config: Configs = None,
    as_json: AsJson = False,
) -> None:
    """Say what memory each role of a job takes, and what bounds a step.

    It needs the models' config.json alone: of a folder, of the hub's cache,
    of those that come with this package, or given by --config. A job that
    cannot fit is refused, with the arithmetic and exit code 1.
    """
    from rkd_online.cli.documents import show_document
    from rkd_online.cli.plan_tables import show_plan_tables
    from rkd_online.errors import SpecError
    from rkd_online.spec.load import load_spec
    from rkd_online.spec.sizing.plan import Asked, make_plan

    asked = Asked(
        _gpu(gpu, gpu_memory),
        gpus,
        usable,
        memory,
        mean_prompt_tokens,
        mean_new_tokens,
        {name: Path(path) for name, path in CONFIGS.read(config).items()},
    )
    made = make_plan(load_spec(spec), asked)
    if as_json:
        show_document(made)
    else:
        show_plan_tables(made)
    if made.problems:
        raise SpecError("\n".join(made.problems))


def _gpu(name: str, memory: int | None) -> "Gpu":
    from dataclasses import replace

    from rkd_online.spec.sizing.gpus import KNOWN

    if name not in KNOWN:
        known = ", ".join(KNOWN)
        raise typer.BadParameter(f"{name!r} is not known: choose from {known}", param_hint="--gpu")
    found = KNOWN[name]
    return found if memory is None else replace(found, memory=memory)
