"""Amounts of memory as they are typed and shown."""

import re

import typer

UNITS = {
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}


def memory_size(text: str) -> int:
    """Bytes of a size such as ``80GiB`` or ``80GB``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]i?B)", text.strip())
    size = round(float(found[1]) * UNITS[found[2]]) if found else 0
    if not size:
        raise typer.BadParameter(f"{text!r} is no amount of memory: write 80GiB, 80GB or 900MiB")
    return size


def gib(size: float) -> str:
    """Bytes in GiB, or what is below one in MiB."""
    if size < UNITS["GiB"]:
        return f"{size / UNITS['MiB']:,.1f} MiB"
    return f"{size / UNITS['GiB']:,.1f} GiB"
