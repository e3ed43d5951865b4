"""What a secret looks like in text, and how it is cut out."""

import json
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

HIDDEN: Final = "***"

SHORTEST_KNOWN: Final = 4
"""Signs of the shortest known secret that is looked for by itself: a shorter one stands in ordinary
words. In a URL, or behind its name, it is hidden all the same."""

_HEADERS: Final = "authorization|cookie"
_NAMES: Final = (
    r"passwords?|passwd|passphrase|secrets?|token|credentials?"
    r"|(?:api|access|first|secret|private)[_-]?keys?"
)
"""What stands at the end of a name whose value is a secret. Not ``tokens``: those are counted."""
_NAMED: Final = re.compile(rf"(?:{_HEADERS}|{_NAMES})$", re.IGNORECASE)
_GIVES: Final = r"""\\*["']?\s*[:=]\s*|\\*["']\s*,\s*"""
"""Between a name and its value, in assignments, JSON, and pairs as Python writes them."""
_QUOTED: Final = (
    r"""b?(?P<quote>\\*["'])(?P<value>(?:(?!(?P=quote))(?:\\.|[^\\\r\n]))*)(?P=quote)"""
    r"""|b?\\*["'](?P<unended>[^\r\n]*)"""
)

_API_KEY: Final = re.compile(r"(?P<head>rkd_[A-Za-z0-9]+_)(?P<plain>[A-Za-z0-9_+/=.~-]{8,}|\*\*\*)")
_SIGN: Final = "[A-Za-z0-9_-]"
_RULES: Final = (
    # Bounded, since no other end is sure: a log of many addresses must not take for ever.
    re.compile(r"(?P<head>://[^\s:/?#@]{0,256}:)(?P<plain>\S{1,1024})(?=@)"),
    re.compile(
        rf"(?P<head>(?:{_HEADERS})(?:{_GIVES}))(?:{_QUOTED}|(?P<plain>[^\r\n]+))", re.IGNORECASE
    ),
    re.compile(
        rf"(?P<head>(?:{_NAMES})(?:{_GIVES}))(?:{_QUOTED}|(?P<plain>[^\s&;,\"']+))", re.IGNORECASE
    ),
    re.compile(r"(?P<head>bearer\s+)(?P<plain>[^\s\"'\\,;)\]}>]+)", re.IGNORECASE),
    _API_KEY,
    re.compile(r"(?P<head>hf_)(?P<plain>[A-Za-z0-9]{16,})"),
    re.compile(r"(?P<head>)(?P<plain>(?:AKIA|ASIA)[A-Z0-9]{12,})"),
    # A token of an attempt: 32 random bytes, which have no mark of their own, and both cases but
    # for one in 10^9. Digests and names of functions have one.
    re.compile(
        rf"(?P<head>)(?P<plain>(?<!{_SIGN})(?={_SIGN}*[A-Z])(?={_SIGN}*[a-z]){_SIGN}{{43,}})"
    ),
)
"""URLs with passwords; headers; values by their names; bearer tokens; keys of this API, of Hugging
Face and of AWS; tokens of attempts."""


def is_secret_name(name: object) -> bool:
    """Whether a field, header or variable of this name holds a secret."""
    text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    return _NAMED.search(text) is not None


def spellings(secrets: Iterable[str]) -> tuple[str, ...]:
    """Known secrets as text can have them: as they are, and quoted for URLs, JSON and Python. The
    longest first, so that none is cut in two by another."""
    found = {
        spelling
        for secret in secrets
        if len(secret) >= SHORTEST_KNOWN
        for spelling in (
            secret,
            quote(secret),
            quote(secret, safe=""),
            quote_plus(secret),
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            repr(secret)[1:-1],
            ascii(secret)[1:-1],
        )
    }
    return tuple(sorted(found, key=len, reverse=True))


def without_secrets(text: str, known: Iterable[str]) -> str:
    """The text with known secrets, and all that looks like one, cut out. Of a key of this API the
    id stays."""
    for secret in known:
        text = text.replace(secret, HIDDEN)
    for rule in _RULES:
        text = rule.sub(_cut, text)
    return text


def hidden(secret: str) -> str:
    """What is written in its place: of a key of this API its id, by which it can be found."""
    key = _API_KEY.search(secret)
    return f"{key['head']}{HIDDEN}" if key else HIDDEN


def _cut(match: re.Match[str]) -> str:
    found = match.groupdict()
    mark = found.get("quote") or ""
    value = found.get("value") or found.get("unended") or found.get("plain") or ""
    return f"{found['head']}{mark}{hidden(value)}{mark}"
