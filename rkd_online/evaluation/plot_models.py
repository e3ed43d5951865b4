"""The parts of the picture in which the three models stand side by side."""

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from rkd_online.evaluation.axes import APART, MODELS, estimates, legend, name_lines, titled
from rkd_online.evaluation.measurement import Compared, Estimate, Measurement

Models = dict[str, Measurement]


def present(compared: Compared[Measurement]) -> Models:
    """The models that the job has."""
    return {name: one for name in MODELS if (one := getattr(compared, name)) is not None}


def draw_pass_at_k(axis: Axes, models: Models) -> None:
    """pass@k over k, with bands."""
    titled(axis, "pass@k", "k answers", "one of them is correct")
    for name, one in models.items():
        ks, found = list(one.pass_at_k), list(one.pass_at_k.values())
        lows, highs = [each.low for each in found], [each.high for each in found]
        values = [each.value for each in found]
        axis.plot(ks, values, "o-", color=MODELS[name], label=_words(name), markersize=4)
        axis.fill_between(ks, lows, highs, color=MODELS[name], alpha=0.12, linewidth=0)
    axis.set_xscale("log", base=2)
    axis.set_xticks(ks, [str(k) for k in ks])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_ylim(-0.02, 1.04)
    legend(axis, columns=3)


def draw_lengths(axis: Axes, models: Models) -> None:
    """Half of the answers left of the dot, four fifths within the bar."""
    titled(axis, "Length of answers", "tokens", "")
    for number, (name, one) in enumerate(models.items()):
        tokens, color = one.tokens, MODELS[name]
        axis.hlines(number, tokens.p10, tokens.p90, color=color, alpha=0.35, linewidth=9)
        axis.plot([tokens.median], [number], "o", color=color, markersize=7)
        axis.plot([tokens.mean.value], [number], "|", color=color, markersize=16)
        axis.annotate(
            f"mean {tokens.mean.value:,.1f}",
            (tokens.mean.value, number - APART),
            ha="center",
            va="bottom",
            fontsize=8.5,
            color=color,
        )
    name_lines(axis, [_words(name) for name in models])
    axis.set_xlim(0, 1.08 * max(one.tokens.p90 for one in models.values()))
    axis.set_xlabel("tokens: dot 50 %, bar 10 % to 90 %, line mean")


def draw_survival(axis: Axes, models: Models) -> None:
    """Shares of answers, and the solutions that some answers hold as a share of these."""
    titled(axis, "What survived", "share of answers", "")
    for name, one in models.items():
        estimates(axis, name, list(survival(one).values()))
    name_lines(axis, list(survival(next(iter(models.values())))))
    axis.set_xlim(-0.02, 1.04)
    legend(axis, columns=3)


def survival(one: Measurement) -> dict[str, Estimate]:
    """Format kept, answers cut off, and different correct solutions."""
    k, solutions = max(one.distinct_correct.items())
    shares = {"answer found": one.answered_share, "cut off": one.truncated_share}
    if "format" in one.reward_parts:
        shares["format reward"] = one.reward_parts["format"]
    return shares | {f"different and\nright, of {k}": _divided(solutions, k)}


def draw_difficulties(axis: Axes, models: Models) -> None:
    """Names lie along the upright axis: a task may have many groups. The tasks of a mixture come
    before their groups."""
    found = {name: _groups(one) for name, one in models.items()}
    names = next(iter(found.values()))
    mixed = len(next(iter(models.values())).by_task) > 1
    titled(axis, f"pass@1 by {'task and ' if mixed else ''}difficulty", "pass@1", "")
    for name, groups in found.items():
        estimates(axis, name, [groups[group] for group in names])
    name_lines(axis, [f"{name} ({one.n})" for name, one in names.items()])
    axis.set_xlim(-0.02, 1.04)
    legend(axis, columns=3)


def _groups(one: Measurement) -> dict[str, Estimate]:
    """pass@1 of the tasks, where there are several, and of the difficulty groups."""
    tasks = one.by_task if len(one.by_task) > 1 else {}
    return {name: found[1] for name, found in (tasks | one.by_difficulty).items()}


def _divided(one: Estimate, by: int) -> Estimate:
    return Estimate(value=one.value / by, low=one.low / by, high=one.high / by, n=one.n)


def _words(model: str) -> str:
    return model.replace("_", " ")
