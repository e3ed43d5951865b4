"""``python -m rkd_online.cli`` is ``rkd``."""

from rkd_online.cli.app import main

main()
