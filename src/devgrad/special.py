"""``devgrad.special``: special functions. The operations are declared in ``ops/``."""

from __future__ import annotations

from typing import Any

from .ops import FUNCTIONS, load_all

load_all()

__all__: list[str] = [*sorted(FUNCTIONS["special"])]


def __getattr__(name: str) -> Any:
    try:
        return FUNCTIONS["special"][name]
    except KeyError:
        raise AttributeError(f"module 'devgrad.special' has no attribute '{name}'") from None
