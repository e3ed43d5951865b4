"""What a model's name stands for."""

from pathlib import Path

import pytest

from rkd_online.errors import SpecError
from rkd_online.spec.references import HubModel, parse_hub_reference, resolve_model
from rkd_online.zoo import zoo_path


def test_a_bundled_model_is_a_folder_of_the_package() -> None:
    assert resolve_model("zoo:chain-sum/teacher") == zoo_path("zoo:chain-sum/teacher")


def test_a_folder_is_taken_from_the_base() -> None:
    assert resolve_model("models/a", Path("/jobs")) == Path("/jobs/models/a")
    assert resolve_model("/models/a", Path("/jobs")) == Path("/models/a")


def test_a_relative_folder_without_a_base_is_refused() -> None:
    with pytest.raises(SpecError, match="'models/a' is a relative path: give an absolute one"):
        resolve_model("models/a")


def test_an_unknown_bundled_model_is_refused_with_those_there_are() -> None:
    with pytest.raises(SpecError, match="zoo:chain-sum/teacher, zoo:chain-sum/student"):
        resolve_model("zoo:chain-sum/teachr")


def test_a_hub_model_has_a_name_and_a_revision() -> None:
    found = parse_hub_reference("hf:Qwen/Qwen3-1.7B-Base@refs/pr/3")
    assert found == HubModel("Qwen/Qwen3-1.7B-Base", "refs/pr/3")


@pytest.mark.parametrize("reference", ["hf:Qwen/Qwen3-8B", "hf:Qwen3-8B@main", "hf:a/b/c@main"])
def test_a_hub_model_without_organisation_or_revision_is_refused(reference: str) -> None:
    with pytest.raises(SpecError, match="is not of the form hf:ORG/NAME@REVISION"):
        parse_hub_reference(reference)
