"""Which models of the hub a job may name."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from rkd_online.service.safety.hub import hub_problem
from rkd_online.service.safety.limits import limits_of
from rkd_online.service.safety.named import hub_models_of
from rkd_online.service.settings import Settings
from rkd_online.spec.load import load_spec
from tests.unit.service.safety.places import Places, refused

COMMIT = "b968826d9c46dd6066d109eabc6255188de91218"
EXAMPLES = sorted((Path(__file__).parents[4] / "examples").glob("*.yaml"))


def test_a_full_commit_of_any_organisation_is_allowed_by_default(places: Places) -> None:
    assert places.lines(policy__model=f"hf:Qwen/Qwen3-8B@{COMMIT}") == []


@pytest.mark.parametrize(
    "revision", ["main", "v1.0", "refs/pr/3", COMMIT[:12], COMMIT.upper(), f"{COMMIT}0"]
)
def test_what_may_change_is_refused_with_what_to_write_instead(
    places: Places, revision: str
) -> None:
    assert places.lines(policy__model=f"hf:Qwen/Qwen3-8B@{revision}") == [
        f"policy.model: 'hf:Qwen/Qwen3-8B@{revision}' names a branch, a tag or a part of a commit "
        "id, which may become other weights: write the full commit id, hf:Qwen/Qwen3-8B@ and 40 "
        f"hexadecimal digits; `git ls-remote https://huggingface.co/Qwen/Qwen3-8B {revision}` "
        "prints that of a branch or tag"
    ]


@pytest.mark.parametrize(
    ("patterns", "revision", "allowed"),
    [
        (["hf:Qwen/*"], COMMIT, True),
        (["hf:Qwen/*"], "main", False),
        (["hf:Qwen/*@main"], "main", True),
        (["hf:Qwen/*@main"], COMMIT, False),
        (["hf:Qwen/*@*"], "refs/pr/3", True),
        (["hf:Qwen/Qwen3-8B"], COMMIT, True),
        (["hf:Qwen/Qwen3-1.7B", "hf:*/Qwen3-8B"], COMMIT, True),
        (["hf:qwen/*"], COMMIT, False),
        (["hf:Qwen/Qwen3"], COMMIT, False),
        ([], COMMIT, False),
    ],
)
def test_a_pattern_allows_commits_or_the_revisions_that_it_names(
    patterns: Sequence[str], revision: str, allowed: bool
) -> None:
    assert (hub_problem(f"hf:Qwen/Qwen3-8B@{revision}", patterns) is None) is allowed


def test_a_model_of_no_pattern_is_refused_with_the_patterns() -> None:
    assert hub_problem(f"hf:Evil/Qwen3-8B@{COMMIT}", ["hf:Qwen/*", "hf:google/*"]) == (
        f"'hf:Evil/Qwen3-8B@{COMMIT}' is none of the models that jobs may name: hf:Qwen/*, "
        "hf:google/*"
    )


@pytest.mark.parametrize(
    "reference",
    [
        "hf:Qwen/Qwen3-8B",
        f"hf:../..@{COMMIT}",
        "hf:Qwen/Qwen3-8B@../../x",
        f"hf:Qwen/Qwen3@8B@{COMMIT}",
        f"hf:Qwen/Qwen3-8B@{COMMIT}\n",
        f"hf:\u0430/b@{COMMIT}",
        f"hf:http://x/y@{COMMIT}",
        "hf:" + "a" * 10_000,
    ],
)
def test_what_is_no_name_is_refused_whatever_the_patterns(places: Places, reference: str) -> None:
    problem = hub_problem(reference, ["hf:*/*@*"])
    assert problem is not None
    assert "is not of the form hf:ORG/NAME@REVISION" in problem
    assert len(problem) < 400
    (line,) = places.lines(teacher__model=reference)
    assert line == f"teacher.model: {problem}"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_names_models_that_any_control_plane_takes(path: Path) -> None:
    named = hub_models_of(load_spec(path))
    patterns = Settings().allowed_models
    assert [one.field for one in named if hub_problem(one.reference, patterns)] == []


def test_patterns_come_from_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RKD_ALLOWED_MODELS", "hf:Qwen/*, hf:google/*@main")
    assert Settings().allowed_models == ("hf:Qwen/*", "hf:google/*@main")
    monkeypatch.setenv("RKD_ALLOWED_MODELS", '["hf:Qwen/*"]')
    limits = limits_of(Settings(data_dir=tmp_path), shared=True)
    (line,) = refused(limits, policy__model=f"hf:google/gemma-3-1b-it@{COMMIT}")
    assert line.endswith("is none of the models that jobs may name: hf:Qwen/*")


@pytest.mark.parametrize("pattern", ["Qwen/*", "hf:*", "hf:Qwen/[a-z]*", "hf:Qwen/*@", "*"])
def test_a_pattern_that_would_match_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError, match="is not of the form hf:ORG/NAME or hf:ORG/NAME@REV"):
        Settings(allowed_models=(pattern,))
