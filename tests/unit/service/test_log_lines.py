"""Every record as a line: JSON for machines, text for people, and no secret in either."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.contextvars import bound_contextvars

from rkd_online.cli.demo import _last_words
from rkd_online.service.safety.redaction import Redactor
from rkd_online.service.settings import Settings
from rkd_online.service.telemetry.logs import LineHandler, formatter, log_to_stderr

KEY = "rkd_a1_0123456789abcdefghjk"
PEPPER = "a pepper of many words"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, key_pepper=SecretStr(PEPPER))


@contextmanager
def logger_to(
    stream: io.StringIO, settings: Settings, *filters: Redactor
) -> Iterator[logging.Logger]:
    handler = LineHandler(stream, settings)
    for one in filters:
        handler.addFilter(one)
    logger = logging.getLogger("tests.lines")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        logger.removeHandler(handler)


def test_a_record_is_one_line_of_json_with_time_level_logger_and_event(settings: Settings) -> None:
    stream = io.StringIO()
    with logger_to(stream, settings) as logger, bound_contextvars(job_id="job-1", attempt=2):
        logger.warning("%s has %d\nlines", "this", 2, extra={"route": "/v1", "deep": [{"a": None}]})
    [line] = stream.getvalue().splitlines()
    record = json.loads(line)
    assert list(record)[:4] == ["time", "level", "logger", "event"]
    moment = datetime.fromisoformat(record.pop("time"))
    assert moment.utcoffset() == UTC.utcoffset(None)
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60
    assert record == {
        "level": "warning",
        "logger": "tests.lines",
        "event": "this has 2\nlines",
        "job_id": "job-1",
        "attempt": 2,
        "route": "/v1",
        "deep": [{"a": None}],
    }


def test_what_other_handlers_leave_in_a_record_is_not_told_again() -> None:
    left = {"message": "x", "asctime": "now", "color_message": "\x1b[1mx"}
    record = logging.makeLogRecord({"msg": "x", "levelname": "INFO", "name": "n", **left})
    written = json.loads(formatter(Redactor(), as_json=True).format(record))
    assert set(written) == {"time", "level", "logger", "event"}


def test_fields_that_a_package_puts_into_every_record_are_not_told(settings: Settings) -> None:
    before, stream = logging.getLogRecordFactory(), io.StringIO()

    def stamping(*args: Any, **named: Any) -> logging.LogRecord:
        record = before(*args, **named)
        record._stamp_of_another_package = 1
        return record

    try:
        logging.setLogRecordFactory(stamping)
        with logger_to(stream, settings) as logger:
            logger.info("x", extra={"route": "/v1"})
    finally:
        logging.setLogRecordFactory(before)
    assert set(json.loads(stream.getvalue())) == {"time", "level", "logger", "event", "route"}


@pytest.mark.parametrize("filtered", [False, True], ids=["processor", "filter and processor"])
@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_secret_comes_out_of_message_traceback_or_field(
    settings: Settings, log_format: str, filtered: bool
) -> None:
    stream, redactor = io.StringIO(), Redactor()
    chosen = settings.model_copy(update={"log_format": log_format})
    with (
        logger_to(stream, chosen, *([redactor] if filtered else [])) as logger,
        bound_contextvars(bound=f"Bearer {KEY}", password="hunter2"),
    ):
        try:
            raise ValueError(f"no {KEY}")
        except ValueError as error:
            logger.exception("said %s and %s", KEY, PEPPER, extra={"found": {"token": "abcdef"}})
            logger.error("again %r", error, exc_info=error)
    written = stream.getvalue()
    for secret in (KEY[-20:], PEPPER, "hunter2", "abcdef"):
        assert secret not in written
    assert written.count("Traceback (most recent call last)") == 2
    assert written.count("ValueError: no rkd_a1_***") == 2
    assert "said rkd_a1_*** and ***" in written


def test_text_cannot_pass_for_another_record_nor_act_on_the_terminal(settings: Settings) -> None:
    stream = io.StringIO()
    chosen = settings.model_copy(update={"log_format": "text"})
    with logger_to(stream, chosen) as logger:
        try:
            raise ValueError("one\nerror: two")
        except ValueError:
            logger.exception(
                "x\nerror: forged\x1b[2J\u202e", extra={"route": "/\x1b[31m\nerror: forged"}
            )
    first, *rest = stream.getvalue().splitlines()
    assert first[:4].isdigit() and "[error" in first and "tests.lines" in first
    assert rest and all(line.startswith("    ") for line in rest)
    assert "\x1b" not in stream.getvalue() and "\u202e" not in stream.getvalue()
    assert "    error: forged\\x1b[2J\\u202e" in stream.getvalue()


@pytest.mark.parametrize(
    ("log_format", "stream", "as_json"),
    [
        ("auto", io.StringIO, True),
        ("auto", Terminal, False),
        ("json", Terminal, True),
        ("text", io.StringIO, False),
    ],
)
def test_the_form_is_chosen_by_setting_and_terminal(
    settings: Settings, log_format: str, stream: type[io.StringIO], as_json: bool
) -> None:
    opened = stream()
    with logger_to(opened, settings.model_copy(update={"log_format": log_format})) as logger:
        logger.info("up")
    assert opened.getvalue().startswith("{") is as_json
    assert ("\x1b[" in opened.getvalue()) is (stream is Terminal and not as_json)


@pytest.mark.parametrize(
    ("found", "written"),
    [
        ([Path("/a"), b"b"], ["PosixPath('/a')", "b'b'"]),
        ({(1, 2): "c"}, "{(1, 2): 'c'}"),
        (float("nan"), "nan"),
    ],
)
def test_what_json_cannot_hold_is_written_as_python_writes_it(
    found: object, written: object
) -> None:
    fields = {"msg": "x", "levelname": "INFO", "name": "n", "found": found}
    line = formatter(Redactor(), as_json=True).format(logging.makeLogRecord(fields))
    assert json.loads(line)["found"] == written


def test_levels_and_handlers_hold_for_the_block_alone_and_the_inner_one_wins(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, ours = logging.getLogger(), logging.getLogger("rkd_online")
    before = (list(root.handlers), root.level, ours.level)
    outer, inner = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", outer)
    with log_to_stderr(settings.model_copy(update={"log_level": "debug"})):
        logging.getLogger("rkd_online.x").debug("first")
        logging.getLogger("sqlalchemy").debug("of others")
        logging.getLogger("httpx").info("of the chatty")
        logging.getLogger("another.package").info("second")
        monkeypatch.setattr(sys, "stderr", inner)
        with log_to_stderr(settings.model_copy(update={"log_level": "warning"})):
            logging.getLogger("rkd_online.x").info("too low")
            logging.getLogger("rkd_online.x").warning("third")
        logging.getLogger("rkd_online.x").info("fourth")
    assert (root.handlers, root.level, ours.level) == before
    assert [json.loads(line)["event"] for line in outer.getvalue().splitlines()] == [
        "first",
        "second",
        "fourth",
    ]
    assert [json.loads(line)["event"] for line in inner.getvalue().splitlines()] == ["third"]


def test_the_demo_finds_the_error_behind_records_of_either_form(
    settings: Settings, tmp_path: Path
) -> None:
    for log_format in ("json", "text"):
        stream = io.StringIO()
        with logger_to(stream, settings.model_copy(update={"log_format": log_format})) as logger:
            logger.info("a user wrote\nerror: not this")
        log = tmp_path / "demo-serve.log"
        log.write_text(stream.getvalue() + "error: port 1 cannot be used: stop\nwhat listens\n")
        assert _last_words(log) == "port 1 cannot be used: stop\nwhat listens"
