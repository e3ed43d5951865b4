"""Where a page of a list begins."""

from datetime import datetime
from typing import TypeAlias

Position: TypeAlias = tuple[datetime, str]
"""Creation time and id of the entry before it; ids settle what the time leaves open."""
