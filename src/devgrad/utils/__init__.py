"""``devgrad.utils``: data loading, checkpoints of the graph, and the handles of hooks."""

from __future__ import annotations

from typing import Any

__all__ = ["checkpoint", "data", "hooks"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        import importlib

        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'devgrad.utils' has no attribute '{name}'")
