"""Distances between points; norms kept within bounds; covariances."""

from __future__ import annotations

import warnings
from typing import Any

from .._tensor import Tensor
from ..autograd._modes import mode
from ..device import user_stacklevel
from ._errors import broadcast_mismatch
from ._formula import sum_to, zeros_like
from ._layout import as_dim
from ._matrices import H, same_batch
from ._op import FUNCTIONS, Array, Arrays, composite, op
from .comparison import where
from .norms import magnitude_power, norm_of, norm_rule, vector_norm

__all__: list[str] = []


@composite
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of ``input - other``.

    Args:
        input, other: floating point or complex; they broadcast.

    Raises:
        RuntimeError: they are no such, or do not broadcast.

    >>> import devgrad
    >>> devgrad.dist(devgrad.tensor([3.0, 4.0]), devgrad.zeros(2))
    tensor(5.)
    """
    difference = input - other
    if difference._type.dtype.category < 2:
        raise RuntimeError(
            "norm(): input dtype should be either floating point or complex. Got "
            f"{difference._type.dtype.title} instead."
        )
    return vector_norm(difference, p)


# --- many points ----------------------------------------------------------------------------------


@op(function=False, method=False, node="EuclideanDistBackward0")
def _euclidean(xp: Any, points: Arrays) -> Array:
    """All distances between two sets of points by one product of matrices: |x|² + |y|² - 2 x y."""
    x, y = points
    squares = (
        xp.add.reduce(x * x, axis=-1)[..., :, None] + xp.add.reduce(y * y, axis=-1)[..., None, :]
    )
    squares = squares - 2 * xp.matmul(x, H(y))
    return xp.sqrt(xp.maximum(squares, 0))


def _euclidean_rule(g: Any, points: Any, out: Any) -> Any:
    x, y = points
    ratio = g * magnitude_power(out, -1.0)  # 0 where the distance is
    rows = sum_to(ratio, (*ratio.shape[:-1], 1))
    columns = sum_to(ratio, (*ratio.shape[:-2], 1, ratio.shape[-1]))
    return [x * rows - ratio @ y, y * H(columns) - H(ratio) @ x]


_euclidean.vjp(points=_euclidean_rule)


def _differences(xp: Any, x: Any, y: Any) -> Any:
    """The differences of some rows of ``x`` from all of ``y``, with the coordinates in front (sums
    over a last dimension are slow); and which rows. As many as the processor's cache holds."""
    x, y = [xp.ascontiguousarray(xp.moveaxis(a, -1, 0)) for a in same_batch(xp, x, y)]
    for rows in xp.row_blocks((x.shape[-1], y.size)):
        yield rows, x[..., rows, None] - y[..., None, :]


@op(function=False, method=False, node="CdistBackward0")
def _distances(xp: Any, points: Arrays, p: float) -> Array:
    """The p-norms of all differences of two sets of points."""
    x, y = points
    batch = xp.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    out = xp.empty((*batch, x.shape[-2], y.shape[-2]), x.dtype)
    if out.size:
        for rows, d in _differences(xp, x, y):
            out[..., rows, :] = norm_of.forward(xp, d, p, (0,), False)
    return out


@op(outputs=("first", "second"), function=False, method=False)
def _pulled(xp: Any, x: Array, y: Array, grads: Array, lengths: Array, p: float) -> Any:
    """What the gradient of `_distances` is for both sets, on arrays."""
    first = xp.zeros((*lengths.shape[:-1], x.shape[-1]), x.dtype)
    second = xp.zeros((*lengths.shape[:-2], *y.shape[-2:]), x.dtype)
    if lengths.size:
        for rows, d in _differences(xp, x, y):
            part = (slice(None),) * (lengths.ndim - 2) + (rows,)
            pull = norm_rule(grads[part], d, lengths[part], d.shape, p, (0,), False)
            first[part] = xp.moveaxis(xp.add.reduce(pull, axis=-1), 0, -1)
            second -= xp.moveaxis(xp.add.reduce(pull, axis=-2), 0, -1)
    return [first, second]


def _distances_rule(g: Any, points: Any, out: Any, p: float) -> Any:
    x, y = points
    if not isinstance(x, Tensor):
        return _pulled(x, y, g, out, p)
    d = x.mT[..., :, :, None] - y.mT[..., :, None, :]
    pull = norm_rule(g, d, out, d.shape, p, (d.ndim - 3,), False)
    return [pull.sum(-1).mT, -pull.sum(-2).mT]


_distances.vjp(points=_distances_rule)

_MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist",
          "donot_use_mm_for_euclid_dist")  # fmt: skip


@composite(method=False, out=False)
def cdist(
    x1: Tensor, x2: Tensor, p: float = 2.0,
    compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:  # fmt: skip
    """The distances of all points of one set from all of another.

    Args:
        x1: any batch of P×M. x2: any batch of R×M; the batches broadcast.
        p: of the norm of the differences; not negative.
        compute_mode: whether a product of matrices is used for p=2, which is faster and less
            exact: ``"use_mm_for_euclid_dist"``, ``"donot_use_mm_for_euclid_dist"``, or, where P or
            R is above 25, ``"use_mm_for_euclid_dist_if_necessary"``.

    Returns:
        P×R.

    Raises:
        RuntimeError: they are not real, or do not fit together. ValueError: there is no such mode.

    >>> import devgrad
    >>> devgrad.cdist(devgrad.tensor([[0.0, 0.0]]), devgrad.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    if compute_mode is not None and compute_mode not in _MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    for name, x in (("X1", x1), ("X2", x2)):
        dtype = x._type.dtype
        if not dtype.is_floating_point:
            raise RuntimeError(
                f"cdist only supports floating-point dtypes, {name} got: {dtype.title}"
            )
        if x._array.ndim < 2:
            raise RuntimeError(
                f"cdist only supports at least 2D tensors, {name} got: {x._array.ndim}D"
            )
        if dtype.itemsize == 2:
            raise NotImplementedError(f"\"cdist\" not implemented for '{dtype.title}'")
    if x1._type.dtype is not x2._type.dtype:
        raise RuntimeError(
            f"expected scalar type {x1._type.dtype.title} but found {x2._type.dtype.title}"
        )
    (*batch1, n, width), (*batch2, m, other) = x1._array.shape, x2._array.shape
    if width != other:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {width} X2: {other}"
        )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    problem = broadcast_mismatch(batch1, batch2)
    if problem:
        raise RuntimeError(f"{problem}. cdist was given {list(x1.shape)} and {list(x2.shape)}")
    large = compute_mode in (None, _MODES[0]) and (n > 25 or m > 25)
    if p == 2 and (large or compute_mode == _MODES[1]):
        return _euclidean.function((x1, x2))
    return _distances.function((x1, x2), float(p))


@op(function=False, method=False, node="PdistBackward0")
def _pairs(xp: Any, input: Array, p: float) -> Array:
    """The p-norms of the differences of all pairs of points."""
    # Each is computed twice: that is quicker than to gather the points of each pair.
    whole = _distances.forward(xp, (input, input), p)
    return whole[xp.triu_indices(input.shape[0], 1)]


@op(function=False, method=False)
def _pulled_pairs(xp: Any, input: Array, grads: Array, lengths: Array, p: float) -> Array:
    """What the gradients of `_pairs` are for the points, on arrays."""
    n = input.shape[0]
    above = xp.triu_indices(n, 1)
    pulls, square = xp.zeros((n, n), grads.dtype), xp.zeros((n, n), lengths.dtype)
    pulls[above], square[above] = grads, lengths
    first, second = _pulled.forward(xp, input, input, pulls, square + square.T, p)
    return first + second


def _pairs_rule(g: Any, input: Any, out: Any, p: float) -> Any:
    if not isinstance(input, Tensor):
        return _pulled_pairs(input, g, out, p)
    n = input.shape[0]
    first, second = FUNCTIONS[""]["triu_indices"](n, n, 1, device=input.device)
    d = input[first] - input[second]
    pull = norm_rule(g, d, out, d.shape, p, (1,), False)
    return zeros_like(input).index_add(0, first, pull).index_add(0, second, -pull)


_pairs.vjp(input=_pairs_rule)


@composite(method=False, out=False, namespaces=("", "nn.functional"))
def pdist(input: Tensor, p: float = 2) -> Tensor:
    """The distances of all pairs of points: the upper triangle of `cdist` with itself.

    Args:
        input: N×M, real. p: of the norm; not negative.

    Returns:
        N (N-1) / 2 distances.

    Raises:
        RuntimeError: it is no real matrix; ``p`` is negative.

    >>> import devgrad
    >>> devgrad.pdist(devgrad.tensor([[0.0], [1.0], [3.0]]))
    tensor([1., 3., 2.])
    """
    if input._array.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input._array.ndim}D")
    if not input._type.dtype.is_floating_point:
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    return _pairs.function(input, float(p))


@composite(inplace=True)
def renorm(input: Tensor, p: Any, dim: int, maxnorm: float) -> Tensor:
    """``input`` with those of its slices along ``dim`` made shorter whose p-norm is too great.

    Args:
        input: at least two dimensions. p: positive. maxnorm: the greatest norm to be left.

    Raises:
        RuntimeError: so it is not. IndexError: there is no such dimension.

    >>> import devgrad
    >>> devgrad.renorm(devgrad.tensor([[3.0, 4.0], [0.3, 0.4]]), 2, 0, 1.0)
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """
    if isinstance(p, complex):
        raise RuntimeError("renorm: p must be real-valued")
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    n = input._array.ndim
    if n <= 1:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {n} dimensions")
    place = as_dim(dim, n)
    if mode.grad and input.requires_grad:
        input = input.clone()  # the derivative needs it as it was, in the in-place form too
    others = tuple(d for d in range(n) if d != place)
    norms = vector_norm(input, p, others, keepdim=True)
    # The small number keeps what was shortened from being longer by rounding.
    factor = where.function(norms > maxnorm, maxnorm / (norms + 1e-7), 1.0)
    return input * factor.to(input.dtype)


# --- covariance -----------------------------------------------------------------------------------


def _weights(name: str, weights: Tensor, floating: bool, count: int) -> None:
    if weights._array.ndim > 1:
        raise RuntimeError(
            f"cov(): expected {name} to have one or fewer dimensions but got {name} with "
            f"{weights._array.ndim} dimensions"
        )
    category = weights._type.dtype.category
    if floating != (category == 2) or (not floating and category != 1):
        raise RuntimeError(
            f"cov(): expected {name} to have {'floating point' if floating else 'integral'} dtype "
            f"but got {name} with {weights._type.dtype.title} dtype"
        )
    if weights._array.size != count:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in the "
            f"input but got {weights._array.size} != {count}"
        )
    if weights._array.size and bool((weights._array < 0).any()):
        raise RuntimeError(f"cov(): {name} cannot be negative")


@composite(out=False)
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The covariances of variables.

    Args:
        input: variables in rows, observations in columns; or the observations of one variable.
        correction: what is taken from the number of observations that is divided by.
        fweights: how often each observation was made, ints. aweights: how much each counts.

    Returns:
        The matrix of covariances; 0-dim for one variable.

    Raises:
        RuntimeError: there are more than two dimensions; weights do not fit.

    >>> import devgrad
    >>> devgrad.cov(devgrad.tensor([[0.0, 2.0], [2.0, 0.0]]))
    tensor([[ 2., -2.],
            [-2.,  2.]])
    """
    return _cov("cov", input, correction, fweights, aweights)


def _cov(
    name: str, input: Tensor, correction: int, fweights: Tensor | None, aweights: Tensor | None
) -> Tensor:
    n = input._array.ndim
    if n > 2:
        raise RuntimeError(
            f"{name}(): expected input to have two or fewer dimensions but got an input with {n} "
            "dimensions"
        )
    if input._type.dtype.category == 0:
        raise RuntimeError(f"{name}(): bool dtype is not supported for input")
    x = input if n == 2 else input.reshape(1, -1)
    count = x._array.shape[1]
    weights: Any = None
    if fweights is not None:
        _weights("fweights", fweights, False, count)
        weights = fweights
    if aweights is not None:
        _weights("aweights", aweights, True, count)
        weights = aweights if weights is None else weights * aweights
    if weights is None:
        total: Any = count
        mean = x.sum(1) / count
    else:
        total = weights.sum()
        if total._type.dtype.category >= 2 and float(total.detach()) == 0:
            raise RuntimeError("cov(): weights sum to zero, can't be normalized")
        mean = (x * weights).sum(1) / total
    away = x - mean[:, None]
    if weights is not None and aweights is not None and correction != 0:
        freedom = total - correction * (weights * aweights).sum() / total
    else:
        freedom = total - correction
    if float(freedom.detach() if isinstance(freedom, Tensor) else freedom) <= 0:
        warnings.warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the "
            "number of observations.",
            UserWarning,
            stacklevel=user_stacklevel(),
        )
    product = away @ H(away if weights is None else away * weights)
    freedom = freedom.clamp(min=0) if isinstance(freedom, Tensor) else max(freedom, 0)
    return (product / freedom).squeeze()


@composite(out=False)
def corrcoef(input: Tensor) -> Tensor:
    """The correlations of variables: covariances over the deviations of both.

    Args:
        input: variables in rows, observations in columns; or the observations of one variable.

    Raises:
        RuntimeError: there are more than two dimensions.

    >>> import devgrad
    >>> devgrad.corrcoef(devgrad.tensor([[0.0, 2.0], [2.0, 0.0]])).round(decimals=4)
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    c = _cov("corrcoef", input, 1, None, None)
    if not c._array.ndim:
        return c / c
    variance = c.diagonal()
    deviation = (variance.real if c.is_complex() else variance).sqrt()
    c = c / deviation[:, None] / deviation[None, :]
    if not c.is_complex():
        return c.clip(-1, 1)
    real, imag = c.real.clip(-1, 1), c.imag.clip(-1, 1)
    return real + imag * 1j
