"""Documents that are written from the code, or that list what the code has, are current."""

import re

from benchmarks.page import PAGE, page
from benchmarks.results import ROOT, kept
from rkd_online.evaluation.report import TEACHER_BEHIND
from rkd_online.metrics.names import METRICS
from rkd_online.run.advice.rules import RULES
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
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = re.sub(r"`[^`\n]*`", "", document.read_text())
        for target in re.findall(r"\]\((?!http|#)([^)#]+)", text):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_page_of_security_names_tests_that_there_are() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", text))
    sources = "".join(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))
    assert named
    assert named - set(re.findall(r"^(?:async )?def (test_\w+)", sources, re.MULTILINE)) == set()
