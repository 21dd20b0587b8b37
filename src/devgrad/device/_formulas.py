"""Formulas with a name of their own in every namespace: ``xp.softmax``, ``xp.gelu``.

Each is written in functions of arrays, for any namespace, which it is given first. Where launching
is what costs, a kind of device may put a kernel in its place: see ``_cupy_fused.py``. A formula's
module is imported when one of its formulas is first called.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

__all__ = ["FORMULAS", "formula", "formulas"]

FORMULAS = {
    name: module
    for module, names in {
        "_softmax": ("softmax", "softmax_backward", "log_softmax", "log_softmax_backward"),
        "_activations": ("silu", "silu_backward", "gelu", "gelu_backward"),
        "_class_losses": ("cross_entropy", "cross_entropy_backward"),
        "_standardize": (
            "normalize_by", "standardize", "standardize_backward", "standardize_weight_backward",
        ),
    }.items()
    for name in names
}  # fmt: skip


def formula(xp: Any, name: str) -> Callable[..., Any]:
    """The formula of this name, of arrays of this namespace."""
    module = importlib.import_module(f".{FORMULAS[name]}", __package__)
    return functools.partial(getattr(module, name), xp)


def formulas(xp: Any) -> dict[str, Callable[..., Any]]:
    """What stands for each formula in a namespace until it is first called."""

    def later(name: str) -> Callable[..., Any]:
        def first(*arguments: Any) -> Any:
            found = formula(xp, name)
            setattr(xp, name, found)
            return found(*arguments)

        return first

    return {name: later(name) for name in FORMULAS}
