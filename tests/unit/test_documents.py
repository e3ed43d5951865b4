"""Documents that are written from the code, or that list what the code has, are current."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import AliasChoices, SecretStr

from benchmarks.page import PAGE, page
from benchmarks.results import ROOT, kept
from rkd_online.evaluation.report import TEACHER_BEHIND
from rkd_online.metrics import run_series
from rkd_online.metrics.names import METRICS
from rkd_online.run.advice.rules import RULES
from rkd_online.service.outcomes import Outcome
from rkd_online.service.settings import Settings
from rkd_online.service.telemetry.catalogue import SERIES
from scripts import job_page


def test_the_page_of_a_job_is_that_of_the_models() -> None:
    assert job_page.PAGE.read_text() == job_page.page()


def test_the_page_of_benchmarks_is_that_of_the_kept_results() -> None:
    assert PAGE.read_text() == page(kept())


def test_the_page_of_records_lists_every_metric() -> None:
    text = (ROOT / "docs" / "records.md").read_text()
    assert set(re.findall(r"^\| `([a-z]+/\w+)`", text, re.MULTILINE)) == set(METRICS)


def test_the_page_of_methods_lists_every_warning() -> None:
    text = (ROOT / "docs" / "methods.md").read_text()
    table = text.partition("| warning |")[2].partition("\n\n")[0]
    found = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    assert sorted(found) == sorted([TEACHER_BEHIND, *(rule.name for rule in RULES)])


def test_links_between_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = re.sub(r"`[^`\n]*`", "", document.read_text())
        for target in re.findall(r"\]\((?!http|#)([^)#]+)", text):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_page_of_security_names_tests_that_there_are() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    named = set(re.findall(r"`(?:test_\w+\.py::)?(test_\w+)`", text))
    files = set(re.findall(r"`(test_\w+\.py)(?:::|`)", text))
    assert files - {path.name for path in (ROOT / "tests").rglob("test_*.py")} == set()
    sources = "".join(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))
    assert named
    assert named - set(re.findall(r"^(?:async )?def (test_\w+)", sources, re.MULTILINE)) == set()


def test_the_page_of_the_services_metrics_is_its_catalogue() -> None:
    text = (ROOT / "docs" / "metrics-service.md").read_text()
    table = text.partition("| name |")[2].partition("\n\n")[0]
    rows = [tuple(map(str.strip, line.split("|")[1:-1])) for line in table.splitlines()[2:]]
    assert rows == [
        (
            f"`{name}`",
            series.kind,
            ", ".join(f"`{label}`" for label in series.labels),
            series.meaning,
        )
        for name, series in SERIES.items()
    ]


def test_the_page_of_a_runs_metrics_is_its_catalogue() -> None:
    text = (ROOT / "docs" / "metrics-run.md").read_text()
    table = text.partition("| name |")[2].partition("\n\n")[0]
    assert table.splitlines()[2:] == [
        f"| `ray_{name}` | {series.unit} | {', '.join(f'`{label}`' for label in series.labels)} | "
        f"{series.meaning} |"
        for name, series in run_series.SERIES.items()
    ]


def test_the_page_of_metrics_has_every_outcome() -> None:
    text = (ROOT / "docs" / "metrics-service.md").read_text()
    [row] = [line for line in text.splitlines() if line.startswith("| `outcome` |")]
    assert set(re.findall(r"`(\w+)`", row)) - {"outcome"} == set(Outcome)


def test_metrics_that_documents_name_are_there() -> None:
    parts = {f"{name}_{part}" for name in SERIES for part in ("bucket", "count", "sum")}
    for name in ("operations.md", "metrics-service.md"):
        named = set(re.findall(r"\brkd_[a-z_]+[a-z]", (ROOT / "docs" / name).read_text()))
        assert named - set(SERIES) - parts - {"rkd_online"} == set(), name


def test_the_page_of_operations_has_every_setting_with_default_and_meaning() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    table = text.partition("| setting |")[2].partition("\n\n")[0]
    assert table.splitlines()[2:] == list(setting_rows())


def test_settings_that_the_page_of_operations_names_are_there() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    known = {name for field in Settings.model_fields for name in variables(field)}
    assert set(re.findall(r"\bRKD_[A-Z_]+[A-Z]", text)) - known == set()


def setting_rows() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        names = ", ".join(f"`{one}`" for one in variables(name))
        meaning = " ".join((field.description or "").replace("``", "`").split())
        yield f"| {names} | {shown(name, field.default)} | {meaning} |"


def variables(name: str) -> list[str]:
    alias = Settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return [str(one) for one in alias.choices]
    return [f"RKD_{name.upper()}"]


def shown(name: str, default: Any) -> str:
    """Of the interpreter it is the path of the one that runs this."""
    if name == "interpreter":
        return "the Python that serves"
    if default is None:
        return "unset"
    if default == ():
        return "empty"
    if isinstance(default, tuple):
        return ", ".join(f"`{one}`" for one in default)
    text = default.get_secret_value() if isinstance(default, SecretStr) else str(default)
    return f"`{text}`" if text else "empty"
