"""The time that clients wait by."""

import time
from typing import Final

import anyio

now: Final = time.monotonic
sleep: Final = time.sleep
sleep_async: Final = anyio.sleep
