"""``devgrad.linalg``: linear algebra. The operations are declared in ``ops/``."""

from __future__ import annotations

from typing import Any

from .ops import FUNCTIONS, load_all
from .ops._matrices import LinAlgError

load_all()

__all__: list[str] = ["LinAlgError", *sorted(FUNCTIONS["linalg"])]


def __getattr__(name: str) -> Any:
    try:
        return FUNCTIONS["linalg"][name]
    except KeyError:
        raise AttributeError(f"module 'devgrad.linalg' has no attribute '{name}'") from None
