"""Automatic differentiation: PyTorch's ``torch.autograd``.

``_graph`` is the graph, ``_engine`` walks it backwards, ``_modes`` say whether it is recorded.
None of them knows an operation, or on which device it runs.
"""

from __future__ import annotations

from ._api import backward, grad
from ._graph import Node
from ._modes import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = ["Node", "backward", "enable_grad", "grad", "inference_mode", "no_grad",
           "set_grad_enabled"]  # fmt: skip
