"""Hooks are kept in dicts by number; a handle takes one away again. (PyTorch's name for them.)"""

from __future__ import annotations

from ..autograd._hooks import Hooks, RemovableHandle, add_hook

__all__ = ["Hooks", "RemovableHandle", "add_hook"]
