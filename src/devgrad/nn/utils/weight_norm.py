"""Weight normalisation: a weight as its size times its direction."""

from __future__ import annotations

import warnings
from typing import Any

from ..._tensor import Tensor
from ...device import user_stacklevel
from ..modules.module import Module
from ..parameter import Parameter

__all__ = ["WeightNorm", "remove_weight_norm", "weight_norm"]


def norm_except_dim(v: Tensor, dim: int) -> Tensor:
    """The norms of the slices along ``dim``, which is kept; of everything for -1."""
    if dim == -1:
        whole: Tensor = v.norm()
        return whole
    dim %= v.ndim
    others = [d for d in range(v.ndim) if d != dim]
    norms: Tensor = v.norm(2, others, keepdim=True) if others else v.abs()
    return norms


def normalized_weight(v: Tensor, g: Tensor, dim: int) -> Tensor:
    """The direction of ``v`` with the sizes ``g``."""
    return v * (g / norm_except_dim(v, dim))


class WeightNorm:
    """The hook that computes the weight before each forward."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Tensor:
        """The weight of the two parameters that stand for it."""
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return normalized_weight(v, g, self.dim)

    def remove(self, module: Module) -> None:
        """Make the weight a parameter again."""
        weight = self.compute_weight(module)
        delattr(module, self.name)
        delattr(module, f"{self.name}_g")
        delattr(module, f"{self.name}_v")
        setattr(module, self.name, Parameter(weight.data))

    def __call__(self, module: Module, inputs: Any) -> None:
        """Compute the weight anew."""
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Have a module learn a weight's size and direction apart: ``weight_g`` and ``weight_v``.

    Deprecated in PyTorch for `parametrizations.weight_norm`, which does the same.

    Args:
        module: what has the weight.
        name: of the weight.
        dim: the dimension along which each slice has a size of its own; None for one in all.

    Raises:
        RuntimeError: it is done already.
    """
    warnings.warn(
        "`torch.nn.utils.weight_norm` is deprecated in favor of "
        "`torch.nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=user_stacklevel(),
    )
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm) and hook.name == name:
            raise RuntimeError(
                f"Cannot register two weight_norm hooks on the same parameter {name}"
            )
    hook = WeightNorm(name, dim)
    weight = getattr(module, name)
    delattr(module, name)
    sizes = norm_except_dim(weight.detach(), hook.dim)
    module.register_parameter(f"{name}_g", Parameter(sizes))
    module.register_parameter(f"{name}_v", Parameter(weight.data))
    setattr(module, name, hook.compute_weight(module))
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Undo `weight_norm`.

    Raises:
        ValueError: it was not done.
    """
    for number, hook in module._forward_pre_hooks.items():
        if isinstance(hook, WeightNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[number]
            return module
    raise ValueError(f"weight_norm of '{name}' not found in {module}")
