"""Spectral normalisation: a weight divided by its largest singular value."""

from __future__ import annotations

from typing import Any

from ..._tensor import Tensor
from ...autograd._modes import no_grad
from ..modules.module import Module
from ..parameter import Parameter

__all__ = ["SpectralNorm", "remove_spectral_norm", "spectral_norm"]


def unit(x: Tensor, eps: float) -> Tensor:
    """The vector ``x`` with the norm 1."""
    return x / x.norm().clamp(min=eps)


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """The weight with ``dim`` first, and all other dimensions as one."""
    if dim:
        weight = weight.transpose(0, dim) if weight.ndim == 2 else weight.movedim(dim, 0)
    matrix: Tensor = weight.reshape(weight.shape[0], -1)
    return matrix


def default_dim(module: Module) -> int:
    """The dimension of a layer's outputs in its weight."""
    return 1 if "ConvTranspose" in type(module).__name__ else 0


class SpectralNorm:
    """The hook that computes the weight before each forward."""

    _version = 1

    def __init__(
        self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.name = name
        self.dim = dim
        self.n_power_iterations = n_power_iterations
        self.eps = eps

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        """The weight over its largest singular value, after bringing the estimate up to date."""
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = as_matrix(weight, self.dim)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(unit(matrix.t().mv(u), self.eps))
                    u.copy_(unit(matrix.mv(v), self.eps))
            u, v = u.clone(), v.clone()  # the buffers will change, and the graph keeps these
        normalized: Tensor = weight / u.dot(matrix.mv(v))
        return normalized

    def remove(self, module: Module) -> None:
        """Make the weight a parameter again."""
        with no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        for suffix in ("", "_u", "_v", "_orig"):
            delattr(module, self.name + suffix)
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        """Compute the weight anew."""
        setattr(module, self.name, self.compute_weight(module, module.training))

    def note_version(self, module: Module, state: Any, prefix: str, metadata: Any) -> None:
        """Write into a state dict how it is to be read."""
        metadata.setdefault("spectral_norm", {})[f"{self.name}.version"] = self._version


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12,
    dim: int | None = None,
) -> Module:  # fmt: skip
    """Have a module divide a weight by its largest singular value.

    That is estimated by a power iteration, which goes on at each forward in training.

    Args:
        module: what has the weight.
        name: of the weight; what is learnt is then ``name + "_orig"``.
        n_power_iterations: how many steps are made at each forward.
        eps: what norms are divided by is at least this.
        dim: the dimension of the outputs; default the layer's.

    Raises:
        RuntimeError: it is done already. ValueError: an argument is out of its range.
    """
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            raise RuntimeError(
                f"Cannot register two spectral_norm hooks on the same parameter {name}"
            )
    hook = SpectralNorm(name, n_power_iterations, default_dim(module) if dim is None else dim, eps)
    weight = module._parameters[name]
    if weight is None:
        raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
    with no_grad():
        height, width = as_matrix(weight, hook.dim).shape
        u = unit(weight.new_empty(height).normal_(0, 1), eps)
        v = unit(weight.new_empty(width).normal_(0, 1), eps)
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.data)
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)
    module.register_forward_pre_hook(hook)
    module._register_state_dict_hook(hook.note_version)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Undo `spectral_norm`.

    Raises:
        ValueError: it was not done.
    """
    for number, hook in module._forward_pre_hooks.items():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[number]
            noting = [k for k, h in module._state_dict_hooks.items() if h == hook.note_version]
            for key in noting:
                del module._state_dict_hooks[key]
            return module
    raise ValueError(f"spectral_norm of '{name}' not found in {module}")
