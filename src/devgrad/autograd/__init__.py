"""Automatic differentiation: PyTorch's ``torch.autograd``.

``_graph`` is the graph, ``_engine`` walks it backwards, ``_modes`` say whether it is recorded.
None of them knows an operation, or on which device it runs.
"""

from __future__ import annotations

from . import forward_ad, function, functional, grad_mode, graph
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
from .grad_mode import set_multithreading_enabled
from .gradcheck import gradcheck, gradgradcheck
from .variable import Variable

__all__ = ["Function", "Node", "Variable", "backward", "detect_anomaly", "enable_grad",
           "forward_ad", "function", "functional", "grad", "grad_mode", "gradcheck",
           "gradgradcheck", "graph", "inference_mode", "is_anomaly_check_nan_enabled",
           "is_anomaly_enabled", "no_grad", "set_detect_anomaly", "set_grad_enabled",
           "set_multithreading_enabled"]  # fmt: skip
