"""Ready-made parametrizations."""

from __future__ import annotations

from typing import Any

import devgrad

from ..._info import finfo
from ..._tensor import Tensor
from ...autograd._modes import no_grad
from ..modules.module import Module
from .parametrize import register_parametrization
from .spectral_norm import as_matrix, default_dim, unit
from .weight_norm import norm_except_dim, normalized_weight

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


class _WeightNorm(Module):
    """A weight of its sizes and its directions."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return normalized_weight(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Have a module learn a weight's size and direction apart.

    Args:
        module: what has the weight.
        name: of the weight.
        dim: the dimension along which each slice has a size of its own; None for one in all.

    Raises:
        ValueError: there is no such weight.

    >>> import devgrad as torch
    >>> layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 3))
    >>> layer.parametrizations.weight.original0.shape
    torch.Size([3, 1])
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(state: dict[str, Any], prefix: str, *rest: Any) -> None:
        # A checkpoint of the former nn.utils.weight_norm.
        old = [f"{prefix}{name}_g", f"{prefix}{name}_v"]
        if all(key in state for key in old):
            for number, key in enumerate(old):
                state[f"{prefix}parametrizations.{name}.original{number}"] = state.pop(key)

    module._register_load_state_dict_pre_hook(rename)
    return module


class _SpectralNorm(Module):
    """A weight divided by its largest singular value."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but "
                f"got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            with no_grad():
                matrix = as_matrix(weight, self.dim)
                u, v = (matrix.new_empty(n).normal_(0, 1) for n in matrix.shape)
                self.register_buffer("_u", unit(u, eps))
                self.register_buffer("_v", unit(v, eps))
            self._iterate(matrix, 15)

    def _iterate(self, matrix: Tensor, times: int) -> None:
        with no_grad():
            for _ in range(times):
                self._u.copy_(unit(matrix.mv(self._v), self.eps))
                self._v.copy_(unit(matrix.t().conj().mv(self._u), self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return unit(weight, self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the buffers will change
        return weight / u.conj().dot(matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12,
    dim: int | None = None,
) -> Module:  # fmt: skip
    """Have a module divide a weight by its largest singular value.

    Args:
        module: what has the weight.
        name: of the weight.
        n_power_iterations: how many steps of the estimate are made at each forward in training.
        eps: what norms are divided by is at least this.
        dim: the dimension of the outputs; default the layer's.

    Raises:
        ValueError: there is no such weight, or an argument is out of its range.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    chosen = default_dim(module) if dim is None else dim
    return register_parametrization(
        module, name, _SpectralNorm(weight, n_power_iterations, chosen, eps)
    )


_MAPS = ("matrix_exp", "cayley", "householder")


def _orthogonalized(a: Tensor) -> Tensor:
    """The orthogonal factor of a QR decomposition, with the signs that make it unique."""
    x, tau = devgrad.geqrf(a)
    q: Tensor = devgrad.linalg.householder_product(x, tau)
    return q * x.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def _is_orthogonal(q: Tensor) -> bool:
    n, k = q.shape[-2:]
    identity = devgrad.eye(k, dtype=q.dtype, device=q.device)
    error = 10.0 * n * finfo(q.dtype).eps
    return bool(devgrad.allclose(q.mH @ q, identity, atol=error))


class _Orthogonal(Module):
    """An orthogonal matrix (a wide one has orthogonal rows) by one of three maps."""

    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        wide = x.shape[-2] < x.shape[-1]
        x = x.mT if wide else x
        n, k = x.shape[-2:]
        if self.orthogonal_map == "householder":
            a = x.tril(diagonal=-1)
            tau = 2.0 / ((a * a).sum(dim=-2) + 1.0)
            q = devgrad.linalg.householder_product(a, tau)
            q = q * x.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)
        else:
            x = x.tril()
            if n != k:
                x = devgrad.cat([x, x.new_zeros(n, n - k).expand(*x.shape[:-2], -1, -1)], dim=-1)
            skew = x - x.mH
            if self.orthogonal_map == "matrix_exp":
                q = devgrad.linalg.matrix_exp(skew)
            else:
                identity = devgrad.eye(n, dtype=x.dtype, device=x.device)
                q = devgrad.linalg.solve(identity - skew * 0.5, identity + skew * 0.5)
            q = q[..., :k]
        if hasattr(self, "base"):
            q = self.base @ q
        turned: Tensor = q.mT if wide else q
        return turned

    def right_inverse(self, q: Tensor) -> Tensor:
        if q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of "
                f"shape {q.shape}."
            )
        with no_grad():
            given = q
            wide = q.shape[-2] < q.shape[-1]
            q = q.mT if wide else q
            n, k = q.shape[-2:]
            if not hasattr(self, "base"):
                if self.orthogonal_map != "householder":
                    raise NotImplementedError(
                        "It is not possible to assign to the matrix exponential or the Cayley "
                        "parametrizations when use_trivialization=False."
                    )
                a, tau = devgrad.geqrf(q)
                diagonal = a.diagonal(dim1=-2, dim2=-1)
                diagonal.copy_(diagonal.sign() * devgrad.where(tau == 0.0, -1.0, 1.0))
                reflections: Tensor = a.mT if wide else a
                return reflections
            if n != k:
                more = devgrad.randn(*q.shape[:-2], n, n - k, dtype=q.dtype, device=q.device)
                q = _orthogonalized(devgrad.cat([q, more], dim=-1))
            else:
                q = q.clone() if _is_orthogonal(q) else _orthogonalized(q)
            self.base = q
            start: Tensor = devgrad.zeros_like(given)  # which the map makes the identity of
            start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
            return start


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *,
    use_trivialization: bool = True,
) -> Module:  # fmt: skip
    """Keep a weight orthogonal: its columns, or the rows of a wide one, are orthonormal.

    Args:
        module: what has the weight.
        name: of the weight; the last two dimensions are the matrix.
        orthogonal_map: what makes it of what is learnt: ``"matrix_exp"``, ``"cayley"`` or
            ``"householder"``; default the first for square or complex weights, else the last.
        use_trivialization: multiply by a fixed orthogonal matrix, so that any weight can be
            assigned.

    Raises:
        ValueError: there is no such weight, or map, or the weight is no matrix.

    >>> import devgrad as torch
    >>> layer = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(3, 3))
    >>> bool(torch.allclose(layer.weight @ layer.weight.t(), torch.eye(3), atol=1e-5))
    True
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.ndim < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions."
        )
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in _MAPS:
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: '
            f"{orthogonal_map}"
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
