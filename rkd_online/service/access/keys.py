"""Keys: ``rkd_<id>_<secret>``. The id finds the row, the secret is kept as a keyed digest alone."""

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rkd_online.errors import ServiceError

FIRST_KEY: Final = "admin-key"
"""File in the data folder with the key that the first start makes."""
ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
ID_LENGTH: Final = 12
SECRET_LENGTH: Final = 52
"""260 random bits: no slow hash is needed."""
FORM: Final = re.compile(rf"rkd_([{ALPHABET}]{{{ID_LENGTH}}})_([{ALPHABET}]{{{SECRET_LENGTH}}})")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is shown once."""

    id: str
    secret: str

    def __str__(self) -> str:
        return f"rkd_{self.id}_{self.secret}"


def new_key() -> NewKey:
    """A key that nobody else has."""
    return NewKey(_random(ID_LENGTH), _random(SECRET_LENGTH))


def read_key(presented: str) -> NewKey | None:
    """The parts of a key; None for what is no key of ours."""
    found = FORM.fullmatch(presented)
    return NewKey(*found.groups()) if found else None


def key_id(presented: str) -> str | None:
    """The id in a key; None for what is no key of ours."""
    key = read_key(presented)
    return key.id if key else None


class Digests:
    """Digests under a pepper, without which a stolen database tells nothing about secrets."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper

    def of(self, key: str) -> str:
        """HMAC-SHA-256 of a whole key, in hexadecimal."""
        return hmac.new(self._pepper, key.encode(), hashlib.sha256).hexdigest()

    def token(self, job_id: str, attempt: int) -> str:
        """The token of one attempt: the same whichever replica launches it, and no one else's."""
        message = f"attempt {attempt} of {job_id}".encode()
        return f"rkd_attempt_{hmac.new(self._pepper, message, hashlib.sha256).hexdigest()}"

    def match(self, key: str, digest: str) -> bool:
        """Whether the digest is the key's; takes the same time for every wrong one."""
        return hmac.compare_digest(self.of(key), digest)


def read_pepper(file: Path, given: str) -> bytes:
    """The pepper: what the settings give, else that of a file, which is made at first."""
    if given:
        return given.encode()
    try:
        written = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        found = file.read_bytes().strip()
        if not found:
            raise ServiceError(
                f"{file} is empty, and all keys were made with what it held: restore it from a "
                "backup, or delete it and the keys of the database"
            ) from None
        return found
    with os.fdopen(written, "wb") as opened:
        made = secrets.token_hex(32).encode()
        opened.write(made)
    return made


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
