"""Which paths a job may name, on a real disk with real links."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rkd_online.service.safety import tree
from rkd_online.service.safety.check import first_look
from rkd_online.spec.load import parse_spec
from tests.unit.service.safety.places import CHECKPOINT, FOREIGN, OWN, Places, files, refused
from tests.unit.spec.job import job


def stored(path: object) -> dict[str, Any]:
    """A job that learns from a store."""
    return {
        "teacher": None,
        "algorithm": {"type": "sft"},
        "rollout": {"source": {"type": "store", "path": str(path)}},
        "checkpoint": {"best_metric": "validation/pass_at_1"},
        "evaluation": {"every": 20},
    }


def outside(path: object, places: Places) -> str:
    return (
        f"{str(path)!r} lies outside of what jobs may name, or leads there by a link: allowed are "
        f"{places.root}, files of this project's jobs in {places.data}/runs"
    )


def test_a_job_of_bundled_models_and_tasks_names_no_path(places: Places) -> None:
    assert places.lines() == []


def test_what_lies_in_a_root_is_allowed_whether_it_is_there_or_not(places: Places) -> None:
    for path in (places.root, places.root / "model", places.root / "not" / "there"):
        assert places.lines(policy__model=str(path), task=files(path)) == []
        assert places.lines(**stored(path)) == []


def test_every_field_with_a_path_is_refused_in_a_line_of_its_own(places: Places) -> None:
    there = places.outside
    parts = [
        {"name": "a", "task": {"type": "chain_sum"}, "teacher": {"model": f"{there}/t"}},
        {"name": "b", "task": files(there)},
    ]
    models = {"policy__model": f"{there}/p", "teacher__model": f"{there}/q"}
    assert places.lines(**models, task={"type": "mixture", "parts": parts}) == [
        f"policy.model: {outside(there / 'p', places)}",
        f"task.parts.0.teacher.model: {outside(there / 't', places)}",
        f"teacher.model: {outside(there / 'q', places)}",
        f"task.parts.1.task.train: {outside(there / 'train.jsonl', places)}",
        f"task.parts.1.task.validation: {outside(there / 'validation.jsonl', places)}",
        f"task.parts.1.task.test: {outside(there / 'test.jsonl', places)}",
    ]
    assert places.lines(**stored(there)) == [f"rollout.source.path: {outside(there, places)}"]


def test_whether_something_is_outside_is_not_told(places: Places) -> None:
    there, absent = places.outside / "model", places.outside / "absent"
    linked = [places.root / "to-model", places.root / "to-absent"]
    linked[0].symlink_to(there)
    linked[1].symlink_to(absent)
    for path in (there, absent, *linked, places.data / "rkd.db", places.data / "absent"):
        assert places.lines(policy__model=str(path)) == [f"policy.model: {outside(path, places)}"]


@pytest.mark.parametrize(
    "target",
    ["/", "/etc", "../outside", "../outside/model", "loop", "../data", "../data/rkd.db"],
)
def test_a_link_that_leads_out_is_refused(places: Places, target: str) -> None:
    (places.root / "loop").symlink_to("loop")
    link = places.root / "link"
    link.symlink_to(target)
    for path in (link, link / "model", link / "absent"):
        assert places.lines(policy__model=str(path)) == [f"policy.model: {outside(path, places)}"]


def test_a_link_within_the_roots_is_followed(places: Places) -> None:
    (places.root / "current").symlink_to("model")
    assert places.lines(policy__model=str(places.root / "current")) == []


def test_a_root_that_is_a_link_is_allowed_by_both_its_names(places: Places) -> None:
    alias = places.root.parent / "alias"
    alias.symlink_to(places.root)
    through = Places(alias, places.data, places.outside)
    for root in (alias, places.root):
        assert through.lines(policy__model=str(root / "model")) == []


def test_the_neighbour_of_a_root_is_outside_of_it(places: Places) -> None:
    near = Path(f"{places.root}-private")
    assert places.lines(policy__model=str(near)) == [f"policy.model: {outside(near, places)}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models/a", "'models/a' is not absolute: give a path that begins with one /"),
        ("", "'' is not absolute: give a path that begins with one /"),
        ("~/a", "'~/a' is not absolute: give a path that begins with one /"),
        ("~nobody/a", "'~nobody/a' is not absolute: give a path that begins with one /"),
        ("//host/a", "'//host/a' is not absolute: give a path that begins with one /"),
        ("ROOT/../root", "'ROOT/../root' has .. in it: give the path without"),
        ("ROOT/..", "'ROOT/..' has .. in it: give the path without"),
        ("ROOT/a\0b", "'ROOT/a\\x00b' has control characters or invisible ones: leave them out"),
        (
            "ROOT/a\nb: c",
            "'ROOT/a\\nb: c' has control characters or invisible ones: leave them out",
        ),
        (
            "ROOT/\u202ea",
            "'ROOT/\\u202ea' has control characters or invisible ones: leave them out",
        ),
        ("ROOT/" + "é" * 128, "has a part of more than 255 bytes"),
        ("ROOT/" + "a/" * 600, "signs, a path may have 1024"),
    ],
)
def test_text_that_is_no_path_is_refused_in_one_line(
    places: Places, text: str, message: str
) -> None:
    root = str(places.root)
    (line,) = places.lines(policy__model=text.replace("ROOT", root))
    assert line.startswith("policy.model: ")
    assert message.replace("ROOT", root) in line


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "s3://bucket/model",
        "http://169.254.169.254/latest",
        "ROOT/http://169.254.169.254/",
        "simplecache::s3://bucket/model",
        "ROOT/a.zip::/etc/passwd",
        "HF:Qwen/Qwen3-8B@main",
    ],
)
@pytest.mark.parametrize("kind", ["model", "file", "store"])
def test_an_address_is_refused_in_every_kind_of_field(
    places: Places, address: str, kind: str
) -> None:
    text = address.replace("ROOT", str(places.root))
    changes: dict[str, dict[str, Any]] = {
        "model": {"policy__model": text},
        "file": {"task": files(places.root) | {"train": f"{text}.jsonl"}},
        "store": stored(text),
    }
    (line,) = places.lines(**changes[kind])
    assert "is an address or a chain of file systems: give the absolute path of a" in line


def test_a_project_names_files_of_its_own_jobs_alone(places: Places) -> None:
    own, foreign = places.checkpoint(OWN), places.checkpoint(FOREIGN)
    rollouts = places.data / "runs" / FOREIGN / "attempts/1/rollouts"
    assert places.lines(policy__model=str(own), teacher__model=str(own)) == []
    for path in (foreign, foreign / "absent", places.checkpoint("job-absent")):
        assert places.lines(policy__model=str(path)) == [
            f"policy.model: {str(path)!r} is of no job of this project"
        ]
    assert len(places.lines(task=files(rollouts))) == 3
    assert len(places.lines(**stored(rollouts))) == 1


def test_a_link_to_anothers_job_is_refused_too(places: Places) -> None:
    link = places.root / "link"
    link.symlink_to(places.checkpoint(FOREIGN))
    (places.root / "model" / "model.safetensors").symlink_to(
        places.checkpoint(FOREIGN) / "model.safetensors"
    )
    assert places.lines(policy__model=str(link)) == [
        f"policy.model: {str(link)!r} is of no job of this project"
    ]
    assert places.lines(policy__model=str(places.root / "model")) == [
        f"policy.model: {str(places.root / 'model')!r} has 'model.safetensors', which leads out of "
        "what jobs may name"
    ]


def test_the_jobs_to_look_up_are_those_that_a_job_names_by_links_too(places: Places) -> None:
    (places.root / "link").symlink_to(places.checkpoint(FOREIGN))
    models = {"policy__model": f"{places.root}/link", "teacher__model": str(places.checkpoint(OWN))}
    assert first_look(parse_spec(job(**models)), places.limits)[0] == {OWN, FOREIGN}
    assert first_look(parse_spec(job()), places.limits) == (frozenset(), [])


def test_of_the_data_folder_in_a_root_only_jobs_are_allowed(places: Places) -> None:
    """Started in its own folder, a control plane has database and tokens below it."""
    inside = Places(places.root, places.root / ".rkd", places.outside)
    own = inside.data / "runs" / OWN / CHECKPOINT
    own.mkdir(parents=True)
    (inside.data / "ray-token").write_text("secret")
    (places.root / "train.jsonl").symlink_to(".rkd/ray-token")
    assert inside.lines(policy__model=str(own)) == []
    for path in (inside.data, inside.data / "ray-token", inside.data / "runs"):
        (line,) = inside.lines(policy__model=str(path))
        assert line.startswith(f"policy.model: {str(path)!r} lies outside of what jobs may name")
    (line,) = inside.lines(task=files(places.root))
    assert line.startswith(f"task.train: '{places.root}/train.jsonl' lies outside of")


@pytest.mark.parametrize("name", ["config.json", "state/deep/a.json"])
@pytest.mark.parametrize("target", ["/etc/passwd", "/absent", "../../../../outside"])
def test_a_file_of_a_model_or_a_store_that_links_out_is_refused(
    places: Places, name: str, target: str
) -> None:
    folder = places.root / "model"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(target)
    wrong = f"{str(folder)!r} has {name!r}, which leads out of what jobs may name"
    assert places.lines(policy__model=str(folder)) == [f"policy.model: {wrong}"]
    assert places.lines(**stored(folder)) == [f"rollout.source.path: {wrong}"]


def test_a_folder_that_is_linked_into_a_model_is_looked_into(places: Places) -> None:
    (places.root / "blobs").mkdir()
    (places.root / "blobs" / "again").symlink_to(places.root / "blobs")
    (places.root / "model" / "sub").symlink_to("../blobs")
    assert places.lines(policy__model=str(places.root / "model")) == []
    (places.root / "blobs" / "a").symlink_to(places.outside)
    (line,) = places.lines(policy__model=str(places.root / "model"))
    assert "has 'sub/a', which leads out of what jobs may name" in line


def test_a_pipe_that_nobody_writes_to_is_not_opened(places: Places) -> None:
    os.mkfifo(places.root / "model" / "config.json")
    (line,) = places.lines(policy__model=str(places.root / "model"))
    assert line.endswith("has 'config.json', which is neither a file nor a folder")


def test_a_folder_of_countless_files_is_not_walked_to_its_end(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MOST_ENTRIES", 3)
    for number in range(4):
        (places.root / "model" / str(number)).touch()
    (line,) = places.lines(policy__model=str(places.root / "model"))
    assert line.endswith("has more than 3 files")


def test_files_of_jobs_are_refused_where_nodes_do_not_see_them(places: Places) -> None:
    """Those of other projects are refused as ever."""
    limits = replace(places.limits, apart=True)
    own = places.checkpoint(OWN)
    assert refused(limits, [OWN], policy__model=str(own)) == [
        f"policy.model: {str(own)!r} is of a job, and the files of jobs are in the object store, "
        "not on the nodes: download it (`rkd checkpoints download`, or the API) and put it into a "
        "folder of RKD_ALLOWED_PATHS that this API and all nodes have"
    ]
    assert len(refused(limits, [OWN], **stored(own))) == 1
    assert refused(limits, [OWN], policy__model=str(places.root / "model")) == []
    assert refused(limits, [OWN], policy__model=str(places.checkpoint(FOREIGN))) == [
        f"policy.model: {str(places.checkpoint(FOREIGN))!r} is of no job of this project"
    ]
