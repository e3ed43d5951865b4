"""Whatever secret goes into a log record, and wherever, it does not come out."""

import base64
import io
import json
import logging
import re
import string
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from rkd_online.service.access.keys import Digests
from rkd_online.service.safety.redaction import Redactor, install, redactor_of
from rkd_online.service.safety.secret_text import HIDDEN, is_secret_name
from rkd_online.service.settings import Settings

WORD = string.ascii_letters + string.digits
KNOWN = "correct horse, \"battery\" 'staple' \\ ü"
REDACTOR = Redactor([KNOWN, "", "abc"])


@dataclass(frozen=True)
class Secret:
    """What must not come out, and a text that has it."""

    value: str
    text: str


def word(least: int, most: int, signs: str = WORD) -> st.SearchStrategy[str]:
    """Begins with signs that nothing around it has, so that a find is the secret itself."""
    return st.text(signs, min_size=least - 3, max_size=most - 3).map("ZQX".__add__)


@st.composite
def secrets(draw: st.DrawFn) -> Secret:
    key, header = word(12, 40, WORD + "-_"), word(12, 60, WORD + "-._~+/")
    value, form = draw(
        st.one_of(
            st.tuples(
                key,
                st.text(string.ascii_lowercase, min_size=1).map(lambda id: f"rkd_{id}_{{}}"),
            ),
            st.tuples(header, st.sampled_from(["Bearer {}", "bearer  {}", "b'Bearer {}'"])),
            st.tuples(
                header.map(lambda text: f"dXNlcjpw {text}"),
                st.sampled_from(
                    ["Authorization: Basic {}", "{{'authorization': 'Basic {}', 'a': 1}}",
                     "[(b'authorization', b'Basic {}'), (b'a', b'b')]", "Cookie: a={}",
                     'said "{{\\"Proxy-Authorization\\": \\"Basic {}\\"}}"']
                ),
            ),
            st.tuples(word(20, 40), st.just("hf_{}")),
            st.tuples(word(16, 16, string.ascii_uppercase), st.just("AKIA{}")),
            st.tuples(
                st.binary(min_size=32, max_size=32).map(attempt_token).filter(both_cases),
                st.just("{}"),
            ),
            st.tuples(
                st.text(min_size=8, max_size=20).map(lambda text: quote(f"p4s5{text}", safe="")),
                st.sampled_from(["postgresql+asyncpg://rkd:{}@db:5432/rkd", "redis://:{}@h"]),
            ),
            st.tuples(
                word(8, 20),
                st.sampled_from(
                    ["password={}", "RKD_ATTEMPT_TOKEN={} x", "?api_key={}&a=b", "passwd: {}",
                     '{{"RAY_AUTH_TOKEN": "{}"}}', "aws_secret_access_key = {}", "secret='{}"]
                ),
            ),
            st.tuples(st.just(KNOWN), st.just("{}")),
        )
    )  # fmt: skip
    before = draw(st.text(max_size=10)) + draw(st.sampled_from([" ", "\n", "(", "; "]))
    after = draw(st.sampled_from([" ", "\n", ")", ""])) + draw(st.text(max_size=10))
    return Secret(value, before + form.format(value) + after)


def attempt_token(random: bytes) -> str:
    return base64.urlsafe_b64encode(random).rstrip(b"=").decode()


def both_cases(text: str) -> bool:
    """All but one token in 10^9 have letters of both; Hypothesis would find that one."""
    return re.search("[A-Z]", text) is not None and re.search("[a-z]", text) is not None


def failing(message: str, way: str) -> BaseException:
    """A caught error that has the message in itself, or where its traceback leads."""
    error: Exception = ValueError("no")
    if way == "plain":
        error = ValueError(message)
    elif way == "cause":
        error.__cause__ = KeyError(message)
    elif way == "note":
        error.add_note(message)
    elif way == "group":
        error = ExceptionGroup("all", [ValueError(message)])
    try:
        raise error
    except Exception as caught:
        return caught


class Shown:
    """An object that a log can only write as text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return f"<{self._text}>"


PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "message": lambda text: {"msg": text},
    "object": lambda text: {"msg": Shown(text)},
    "argument": lambda text: {"msg": "said %s and %r", "args": (text, text)},
    "error": lambda text: {"msg": "%s", "args": (ValueError(text),)},
    "object argument": lambda text: {"msg": "%r of %d", "args": (Shown(text), 3)},
    "named argument": lambda text: {"msg": "%(a)s", "args": ({"a": text, "unused": text},)},
    "joined": lambda text: {
        "msg": "%s%s",
        "args": (text[: len(text) // 2], text[len(text) // 2 :]),
    },
    "too few": lambda text: {"msg": "%s %s " + text.replace("%", "%%"), "args": (text,)},
    "traceback": lambda text: {"msg": "no", "exc_info": _info(failing(text, "plain"))},
    "cause": lambda text: {"msg": "no", "exc_info": _info(failing(text, "cause"))},
    "group": lambda text: {"msg": "no", "exc_info": _info(failing(text, "group"))},
    "note": lambda text: {"msg": "no", "exc_info": _info(failing(text, "note"))},
    "earlier text": lambda text: {"msg": "no", "exc_text": text},
    "stack": lambda text: {"msg": "no", "stack_info": text},
    "extra": lambda text: {"msg": "no", "found": text},
    "deep": lambda text: {"msg": "no", "found": {"a": [{"b": (text, 1)}, {text}], text: 2}},
    "bytes": lambda text: {"msg": "no", "found": text.encode()},
    "exception": lambda text: {"msg": "no", "found": failing(text, "plain")},
}


def _info(error: BaseException) -> tuple[type[BaseException], BaseException, Any]:
    return (type(error), error, error.__traceback__)


def record_of(fields: dict[str, Any]) -> logging.LogRecord:
    standard = {"msg": fields.pop("msg"), "args": fields.pop("args", ())}
    record = logging.LogRecord("rkd", logging.ERROR, "here.py", 1, exc_info=None, **standard)
    vars(record).update(fields)
    return record


def written(record: logging.LogRecord) -> str:
    """All that a formatter could write of it."""
    line = logging.Formatter("%(levelname)s %(message)s").format(record)
    return f"{line} {vars(record)} {json.dumps(vars(record), default=str, ensure_ascii=False)}"


@settings(max_examples=300, deadline=None)
@given(secret=secrets(), place=st.sampled_from(sorted(PLACES)))
def test_no_secret_comes_out_of_a_record(secret: Secret, place: str) -> None:
    record = record_of(PLACES[place](secret.text))
    assert REDACTOR.filter(record)
    assert secret.value not in written(record)


@settings(max_examples=150, deadline=None)
@given(secret=secrets(), place=st.sampled_from(["event", "field", "deep", "exc_info", "record"]))
def test_no_secret_comes_out_of_an_event(secret: Secret, place: str) -> None:
    events: dict[str, dict[str, Any]] = {
        "event": {"event": secret.text},
        "field": {"event": "no", "found": secret.text},
        "deep": {"event": "no", "found": {"a": [secret.text, {"b": Shown(secret.text)}]}},
        "exc_info": {"event": "no", "exc_info": failing(secret.text, "cause")},
        "record": {"event": "no", "_record": record_of({"msg": "%s", "args": (secret.text,)})},
    }
    event = dict(REDACTOR(None, "error", events[place]))
    record = event.pop("_record", None)
    assert secret.value not in f"{event} {json.dumps(event, default=str, ensure_ascii=False)}"
    assert (record is None) is (place != "record")
    assert record is None or secret.value not in written(record)


@settings(max_examples=200, deadline=None)
@given(secret=secrets())
def test_hiding_twice_is_hiding_once(secret: Secret) -> None:
    once = REDACTOR.text(secret.text)
    assert REDACTOR.text(once) == once
    assert HIDDEN in once


@settings(max_examples=200, deadline=None)
@given(known=st.text(min_size=4, max_size=30), around=st.text(max_size=20))
def test_a_known_secret_is_found_wherever_it_stands(known: str, around: str) -> None:
    hidden = Redactor([known]).text(f"{around}{known}{around}")
    assert known not in hidden or known in f"{around}{HIDDEN}{around}"


@pytest.mark.parametrize(
    "spelling",
    [KNOWN, quote(KNOWN, safe=""), json.dumps(KNOWN), json.dumps({"a": KNOWN}), repr(KNOWN)],
)
def test_a_known_secret_is_found_in_every_spelling(spelling: str) -> None:
    hidden = REDACTOR.text(f"with {spelling} in it")
    assert "horse" not in hidden
    assert hidden.startswith("with ")
    assert hidden.endswith(" in it")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("rkd_a1B2_0123456789abcdef ended", "rkd_a1B2_*** ended"),
        ("Authorization: Bearer rkd_a1_0123456789abcdef", "Authorization: rkd_a1_***"),
        ("curl -H 'Authorization: Basic dTpw' http://h/", "curl -H 'Authorization: ***"),
        ("{'authorization': 'Basic dTpw', 'host': 'h'}", "{'authorization': '***', 'host': 'h'}"),
        ("Bearer abc.def-1, and more", "Bearer ***, and more"),
        ("sqlite+aiosqlite:////srv/rkd.db", "sqlite+aiosqlite:////srv/rkd.db"),
        ("postgresql://rkd:s3cr%40t@db/rkd", "postgresql://rkd:***@db/rkd"),
        ('{"RKD_ATTEMPT_TOKEN": "x", "a": 1}', '{"RKD_ATTEMPT_TOKEN": "***", "a": 1}'),
        ("GET /?token=abc&after=3", "GET /?token=***&after=3"),
        (f"sent {Digests(b'pepper').token('job-1', 1)} on", "sent rkd_attempt_*** on"),
    ],
)
def test_what_is_hidden_leaves_the_rest_readable(text: str, hidden: str) -> None:
    assert REDACTOR.text(text) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "job-01hq3v5zk8m2n4p6 is running",
        "max_new_tokens: 512, prompt_tokens=3, tokenizer: TokenizersBackend",
        "hf:Qwen/Qwen3-8B@b968826d9c46dd6066d109eabc6255188de91218",
        "a" * 64,
        "test_that_the_name_of_a_function_may_be_as_long_as_this",
        "this is not the token of attempt 2 of job-1",
        "http://127.0.0.1:8420/v1/jobs/job-1/events?after=3",
        "rkd_online.service.store",
        "abc",
    ],
)
def test_what_is_no_secret_is_left_as_it_is(text: str) -> None:
    assert REDACTOR.text(text) == text


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("token", True), ("RKD_ATTEMPT_TOKEN", True), (b"authorization", True), ("X-Api-Key", True),
        ("db_password", True), ("set-cookie", True), ("credentials", True), ("privateKey", True),
        ("tokens", False), ("token_ids", False), ("key", False), ("author", False), (3, False),
    ],
)  # fmt: skip
def test_a_field_is_secret_by_its_name(name: object, secret: bool) -> None:
    assert is_secret_name(name) is secret


def test_a_field_with_a_secret_name_is_hidden_whatever_it_holds() -> None:
    fields = {"token": 12345, "cookie": {"a": "b"}, "password": None, "steps": 3}
    assert REDACTOR.value(fields) == {"token": "***", "cookie": "***", "password": None, "steps": 3}
    headers = [(b"authorization", b"Basic dTpw"), (b"host", b"h")]
    assert REDACTOR.value(headers) == [(b"authorization", "***"), (b"host", b"h")]


def test_a_record_without_secrets_is_left_as_it_is() -> None:
    """Formatters such as uvicorn's take arguments by their places."""
    args = ("127.0.0.1:1", "GET", "/v1/jobs", "1.1", 200)
    record = record_of({"msg": '%s - "%s %s HTTP/%s" %d', "args": args, "found": [1, {"a": None}]})
    before = dict(vars(record))
    REDACTOR.filter(record)
    assert vars(record) == before


def test_an_argument_with_a_secret_keeps_its_place() -> None:
    record = record_of({"msg": "%s %s %d", "args": ("GET", "/?token=abcdef", 200)})
    REDACTOR.filter(record)
    assert record.args == ("GET", "/?token=***", 200)
    assert record.getMessage() == "GET /?token=*** 200"


def test_a_traceback_is_written_as_the_standard_library_writes_it() -> None:
    error = failing("no secret at all", "cause")
    record = record_of({"msg": "no", "exc_info": _info(error)})
    REDACTOR.filter(record)
    assert record.exc_text == "".join(traceback.format_exception(error)).rstrip("\n")
    assert record.exc_info is None


def test_the_error_at_hand_is_written_where_structlog_is_told_that_there_is_one() -> None:
    try:
        raise ValueError("rkd_a1_0123456789abcdef")
    except ValueError:
        event = REDACTOR(None, "error", {"event": "no", "exc_info": True})
    assert str(event["exception"]).endswith("ValueError: rkd_a1_***")
    assert REDACTOR(None, "info", {"event": "no", "exc_info": False}) == {"event": "no"}


def test_an_object_that_cannot_be_written_does_no_harm() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    assert REDACTOR.value([Broken()]) == ["a Broken that cannot be written"]


def test_a_list_in_itself_ends() -> None:
    around: list[Any] = ["rkd_a1_0123456789abcdef"]
    around.append(around)
    assert "0123456789abcdef" not in str(REDACTOR.value(around))


def test_the_secrets_of_the_settings_are_known(tmp_path: Path) -> None:
    (tmp_path / "ray").write_text("from-a-file\n")
    given = Settings(
        data_dir=tmp_path,
        database_url="postgresql+asyncpg://rkd:p%40ss-w0rd@db/rkd",
        ray_auth_token=SecretStr("from-the-environment"),
    )
    text = "p%40ss-w0rd and p@ss-w0rd and from-the-environment"
    assert redactor_of(given).text(text) == "*** and *** and ***"
    filed = Settings(data_dir=tmp_path, ray_auth_token_path=tmp_path / "ray")
    assert redactor_of(filed).text("from-a-file") == "***"


@pytest.fixture
def logger() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("tests.redaction")
    logger.addHandler(handler)
    yield logger, stream
    logger.removeHandler(handler)


def test_installed_it_is_on_every_handler_for_what_comes_from_other_loggers(
    logger: tuple[logging.Logger, io.StringIO],
) -> None:
    parent, stream = logger
    redactor = Redactor()
    handlers = [*parent.handlers, *logging.getLogger().handlers]
    install(redactor)
    try:
        assert all(redactor in handler.filters for handler in handlers)
        parent.getChild("below").error("%s", "rkd_a1_0123456789abcdef", extra={"token": "x"})
    finally:
        for handler in [*handlers, logging.lastResort]:
            assert handler is not None
            handler.removeFilter(redactor)
    assert stream.getvalue() == "rkd_a1_***\n"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("part", ["a", "://", "x-", "'", "\\", "bearer-", "http://a:", "-token-"])
def test_long_text_is_read_once(part: str) -> None:
    """Patterns that go back over what they have read would take hours."""
    text = part * (200_000 // len(part))
    assert REDACTOR.text(text) == text
