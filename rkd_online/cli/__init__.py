"""The ``rkd`` command. Nothing heavy is imported before the arguments are parsed."""

from rkd_online.cli.app import main

__all__ = ["main"]
