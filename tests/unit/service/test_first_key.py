"""The first key where somebody gives it: made once, by one replica, and told to nobody."""

import asyncio
import logging
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import select, text

from rkd_online.service.access.first_key import ensure_first_key
from rkd_online.service.access.keys import Digests, new_key, read_key
from rkd_online.service.app import create_app, prepare
from rkd_online.service.clock import utc_now
from rkd_online.service.local_ray import LocalRay
from rkd_online.service.safety.redaction import redactor_of
from rkd_online.service.settings import Settings
from rkd_online.service.store.access_tables import KeyRow
from rkd_online.service.store.engine import Database
from tests.unit.service.plane import Clock, client_of

KEY, OTHER = (f"rkd_{number * 12}_{number * 52}" for number in "78")
UNUSED = (
    "RKD_FIRST_KEY is no key of this database, which has others: it makes one only where there is "
    "none"
)


def giving(settings: Settings, key: str) -> Settings:
    return settings.model_copy(update={"first_key": SecretStr(key)})


async def start(settings: Settings, *keys: str) -> list[int]:
    """Start a replica on this machine's clock; the status that each key gets of it."""
    app = create_app(settings, now=Clock())
    services = app.state.services
    await prepare(services)
    answers = []
    for key in keys:
        async with client_of(app, key) as http:
            answers.append((await http.get("/v1/whoami")).status_code)
    await services.launcher.close()
    await services.database.close()
    return answers


async def rows(settings: Settings) -> list[KeyRow]:
    app = create_app(settings)
    async with app.state.services.database.read() as session:
        found = list(await session.scalars(select(KeyRow)))
    await app.state.services.database.close()
    return found


@pytest.mark.asyncio
async def test_the_given_key_is_made_and_lies_in_no_file(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (settings.data_dir).mkdir(exist_ok=True)
    (settings.data_dir / "admin-key").write_text(f"{OTHER}\n")
    assert await start(giving(settings, KEY), KEY, OTHER) == [200, 401]
    [row] = await rows(settings)
    assert (row.id, row.project_id, row.scope, row.name) == (
        "7" * 12, None, "admin", "first administrator"
    )  # fmt: skip
    # What lay there was the key of another database.
    assert not (settings.data_dir / "admin-key").exists()
    assert "made a first key for all projects: it is RKD_FIRST_KEY" in caplog.text
    assert "7" * 52 not in caplog.text


@pytest.mark.asyncio
async def test_it_is_made_once_and_a_revoked_one_never_again(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    given = giving(settings, KEY)
    assert await start(given, KEY) == [200]
    assert await start(given, KEY) == [200]
    app = create_app(given, now=Clock())
    async with client_of(app, KEY) as http:
        assert (await http.post(f"/v1/api-keys/{'7' * 12}/rotate")).status_code == 201
    await app.state.services.database.close()
    assert await start(given, KEY) == [401]
    assert len(await rows(settings)) == 2
    assert UNUSED not in caplog.text


@pytest.mark.asyncio
async def test_another_than_the_databases_own_changes_nothing_and_is_told(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    await start(giving(settings, KEY))
    assert await start(giving(settings, OTHER), KEY, OTHER) == [200, 401]
    assert [one.message for one in caplog.records if one.levelname == "WARNING"] == [UNUSED]
    caplog.clear()
    same_id = f"rkd_{'7' * 12}_{'8' * 52}"
    assert await start(giving(settings, same_id), KEY, same_id) == [200, 401]
    assert [one.message for one in caplog.records if one.levelname == "WARNING"] == [UNUSED]


@pytest.mark.asyncio
@pytest.mark.parametrize("key", [KEY, ""])
async def test_replicas_that_start_together_make_one(
    settings: Settings, tmp_path: Path, key: str
) -> None:
    # With a file one process alone may serve; several connections meet here all the same.
    folders = [tmp_path / f"replica-{number}" for number in range(8)]
    replicas = [Database(settings.database) for _ in folders]
    for folder in folders:
        folder.mkdir()
    await asyncio.gather(
        *(
            ensure_first_key(database, Digests(b"pepper"), folder, read_key(key), utc_now)
            for database, folder in zip(replicas, folders, strict=True)
        )
    )
    for database in replicas:
        await database.close()
    [row] = await rows(settings)
    files = [folder / "admin-key" for folder in folders]
    written = [file.read_text().strip() for file in files if file.exists()]
    assert [found.split("_")[1] for found in written] == ([] if key else [row.id])


@pytest.mark.asyncio
async def test_keys_that_were_all_deleted_make_room_for_another(settings: Settings) -> None:
    await start(giving(settings, KEY))
    app = create_app(settings)
    async with app.state.services.database.write() as session:
        await session.execute(text("DELETE FROM api_keys"))
    await app.state.services.database.close()
    assert await start(giving(settings, OTHER), KEY, OTHER) == [401, 200]


@pytest.mark.parametrize(
    "wrong", ["hunter2", KEY[:-1], f"{KEY}0", KEY.replace("7", "l"), KEY.upper(), f"{KEY} {OTHER}"]
)
def test_what_is_no_key_is_refused_with_what_makes_one_and_not_shown(
    wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKD_FIRST_KEY", wrong)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "its form is rkd_<id>_<secret>, and `rkd keys make-first` makes one" in str(
        refused.value
    )
    assert wrong not in str(refused.value)


def test_a_secret_that_was_made_of_a_file_ends_with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RKD_FIRST_KEY", f"{KEY}\n")
    settings = Settings()
    assert settings.first_key.get_secret_value() == KEY
    assert "7777" not in repr(settings)
    monkeypatch.setenv("RKD_FIRST_KEY", "")
    assert Settings().first_key.get_secret_value() == ""


def test_logs_never_have_it(tmp_path: Path) -> None:
    key = str(new_key())
    redactor = redactor_of(Settings(data_dir=tmp_path, first_key=SecretStr(key)))
    assert key not in redactor.text(f"it is {key}")
    assert redactor.text("RKD_FIRST_KEY=hunter2 and more") == "RKD_FIRST_KEY=*** and more"
    assert redactor.value({"first_key": "hunter2"}) == {"first_key": "***"}


def test_runs_of_a_local_ray_see_nothing_that_makes_an_administrator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nenv\nexit 3\n")
    script.chmod(0o700)
    for name in ("RKD_FIRST_KEY", "RKD_KEY_PEPPER", "RKD_DATABASE_URL", "HF_TOKEN"):
        monkeypatch.setenv(name, f"{name}-value")
    with pytest.raises(Exception, match="the local Ray ended with 3 while starting"):
        LocalRay.start(
            Settings(
                data_dir=tmp_path,
                interpreter=str(script),
                local_ray_port=18266,
                first_key=SecretStr(""),
            )
        )
    given = (tmp_path / "local-ray.log").read_text()
    found = [name for name in ("FIRST_KEY", "PEPPER", "DATABASE", "HF_TOKEN") if name in given]
    assert found == ["HF_TOKEN"]
