"""Automatic differentiation: PyTorch's ``torch.autograd``.

``_graph`` is the graph, ``_engine`` walks it backwards, ``_modes`` say whether it is recorded.
None of them knows an operation, or on which device it runs.
"""

from __future__ import annotations

import importlib
from typing import Any

from ._anomaly import (
    detect_anomaly,
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    set_detect_anomaly,
)
from ._api import backward, grad
from ._graph import Node
from ._modes import enable_grad, inference_mode, no_grad, set_grad_enabled

# Imported when first asked for: training needs none of them.
_LATER = {
    "Function": "function", "Variable": "variable", "forward_ad": "", "function": "",
    "functional": "", "grad_mode": "", "gradcheck": "gradcheck", "gradgradcheck": "gradcheck",
    "graph": "", "set_multithreading_enabled": "grad_mode", "variable": "",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'devgrad.autograd' has no attribute '{name}'")
    found: Any = importlib.import_module(f".{_LATER[name] or name}", __name__)
    if _LATER[name]:
        found = getattr(found, name)
    globals()[name] = found
    return found


__all__ = ["Function", "Node", "Variable", "backward", "detect_anomaly", "enable_grad",
           "forward_ad", "function", "functional", "grad", "grad_mode", "gradcheck",
           "gradgradcheck", "graph", "inference_mode", "is_anomaly_check_nan_enabled",
           "is_anomaly_enabled", "no_grad", "set_detect_anomaly", "set_grad_enabled",
           "set_multithreading_enabled"]  # fmt: skip
