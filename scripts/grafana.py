"""Write Grafana's dashboard from ``scripts/dashboard.yaml``: ``python scripts/grafana.py``.

Grafana's own package knows what its JSON looks like, in the version that it is made for; newer ones
take it too.
"""

from pathlib import Path
from string import ascii_uppercase
from typing import Final, Literal

import yaml
from grafana_foundation_sdk.builders.common import StackingConfig, VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DatasourceVariable,
    QueryVariable,
    Row,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.timeseries import Panel
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh
from pydantic import BaseModel, ConfigDict

ROOT: Final = Path(__file__).resolve().parents[1]
DESCRIPTION: Final = ROOT / "scripts" / "dashboard.yaml"
DASHBOARD: Final = ROOT / "deploy" / "helm" / "rkd-online" / "dashboards" / "rkd-online.json"
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHT: Final = 8


class Described(BaseModel):
    """A part of the description."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PanelDescription(Described):
    """One picture; ``queries`` are PromQL by legend."""

    title: str
    text: str
    unit: str
    queries: dict[str, str]
    width: Literal[8, 12] = 8
    stacked: bool = False


class RowDescription(Described):
    """Panels below a heading."""

    title: str
    panels: list[PanelDescription]


class DashboardDescription(Described):
    """The whole."""

    uid: str
    title: str
    description: str
    rows: list[RowDescription]


def description() -> DashboardDescription:
    """The description as it is written."""
    return DashboardDescription.model_validate(yaml.safe_load(DESCRIPTION.read_text()))


def dashboard(described: DashboardDescription) -> str:
    """The JSON that Grafana imports."""
    built = (
        Dashboard(described.title)
        .uid(described.uid)
        .description(described.description)
        .tags(["rkd-online"])
        .editable()
        .refresh("30s")
        .time("now-6h", "now")
        .with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            QueryVariable("job")
            .label("Job")
            .datasource(SOURCE)
            .query("label_values(ray_rkd_steps_planned, job)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".+")
        )
    )
    for row in described.rows:
        built = built.with_row(Row(row.title))
        for one in row.panels:
            built = built.with_panel(panel(one))
    whole = built.build()
    for number, each in enumerate(whole.panels or [], start=1):
        each.id_val = number
    return JSONEncoder(sort_keys=True, indent=2).encode(whole) + "\n"


def panel(one: PanelDescription) -> Panel:
    """One picture of lines over time."""
    built = (
        Panel()
        .title(one.title)
        .description(one.text)
        .unit(one.unit)
        .span(one.width)
        .height(HEIGHT)
        .datasource(SOURCE)
        .legend(
            VizLegendOptions()
            .show_legend(True)
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
        )
    )
    if one.stacked:
        built = built.fill_opacity(30).stacking(StackingConfig().mode(StackingMode.NORMAL))
    for letter, (legend, query) in zip(ascii_uppercase, one.queries.items(), strict=False):
        built = built.with_target(
            Dataquery().ref_id(letter).expr(query).legend_format(legend).datasource(SOURCE)
        )
    return built


if __name__ == "__main__":
    DASHBOARD.write_text(dashboard(description()))
