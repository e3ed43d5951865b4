"""What the base install leaves out."""

from importlib.util import find_spec

from rkd_online.errors import RkdError

RUN = ("torch", "transformers", "vllm")


def require(command: str, packages: tuple[str, ...] = RUN) -> None:
    """Refuse a command whose packages are not installed."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise RkdError(
            f"`rkd {command}` needs {', '.join(missing)}, which this base install leaves out: "
            "install the extra cpu or cuda of rkd-online (`make setup` does, in a clone)"
        )
