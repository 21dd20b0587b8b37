"""``devgrad.nn.functional``: operations of neural networks. They are declared in ``ops/``."""

from __future__ import annotations

from typing import Any

from ..ops import FUNCTIONS, load_all

load_all()

__all__: list[str] = [*sorted(FUNCTIONS["nn.functional"])]


def __getattr__(name: str) -> Any:
    try:
        return FUNCTIONS["nn.functional"][name]
    except KeyError:
        raise AttributeError(f"module 'devgrad.nn.functional' has no attribute '{name}'") from None
