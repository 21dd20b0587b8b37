"""Functions of functions: PyTorch's ``torch.func``.

``grad(f)`` is the function that computes the gradient of ``f``; ``jvp``, ``vjp``, ``jacrev``,
``jacfwd``, ``hessian`` and ``vmap`` likewise. They may be nested in one another.
"""

from __future__ import annotations

from ._modules import functional_call, replace_all_batch_norm_modules_, stack_module_state
from ._transforms import (
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    vjp,
)
from ._vmap import vmap

__all__ = ["functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp",
           "linearize", "replace_all_batch_norm_modules_", "stack_module_state", "vjp",
           "vmap"]  # fmt: skip
