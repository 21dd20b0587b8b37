"""Automatic differentiation: PyTorch's ``torch.autograd``.

``_graph`` is the graph, ``_engine`` walks it backwards, ``_modes`` say whether it is recorded.
None of them knows an operation, or on which device it runs.
"""

from __future__ import annotations

from . import forward_ad, function, functional, graph
from ._anomaly import (
    detect_anomaly,
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    set_detect_anomaly,
)
from ._api import backward, grad
from ._graph import Node
from ._modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from .function import Function
from .gradcheck import gradcheck, gradgradcheck

__all__ = ["Function", "Node", "backward", "detect_anomaly", "enable_grad", "forward_ad",
           "function", "functional", "grad", "gradcheck", "gradgradcheck", "graph",
           "inference_mode", "is_anomaly_check_nan_enabled", "is_anomaly_enabled", "no_grad",
           "set_detect_anomaly", "set_grad_enabled"]  # fmt: skip
