"""What CuPy has, from ``cupy_table.json``, which ``make_table.py`` writes."""

from __future__ import annotations

import functools
import inspect
import json
from pathlib import Path
from typing import Any

TABLE: dict[str, Any] = json.loads(
    Path(__file__).with_name("cupy_table.json").read_text(encoding="utf-8")
)


@functools.cache
def signature(parameters: str) -> inspect.Signature:
    """A signature from the table's text, ``"a, axis=..., *, dtype=..."``."""
    return inspect.signature(eval(f"lambda {parameters}: None"))
