"""Forward mode of every operation, by the transpose: <u, J t> = <Jᵀ u, t> for any u and t."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from op_samples._base import Row
from test_ops import DIFFERENTIABLE, arrays_in, lookup, mapped

import devgrad
from devgrad.autograd import forward_ad


def flat(result: Any) -> list[Any]:
    """The differentiable tensors of a result."""
    parts = result if isinstance(result, (tuple, list)) else [result]
    return [p for p in parts if isinstance(p, devgrad.Tensor) and p.requires_grad]


def called(row: Row, sample: Any, tensor: Any) -> Any:
    def dtype(d: Any) -> Any:
        return d

    args = mapped(sample.args, tensor, dtype)
    kwargs = mapped(sample.kwargs, tensor, dtype)
    return lookup(devgrad, row.name)(*args, **kwargs)


def inner(a: Any, b: Any) -> float:
    """The real inner product, with complex numbers as pairs."""
    return float(np.real(np.vdot(a.detach().numpy(), b.detach().numpy())))


def like(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random numbers of the same shape and dtype."""
    values = rng.standard_normal(array.shape)
    if array.dtype.kind == "c":
        values = values + 1j * rng.standard_normal(array.shape)
    return np.array(values, array.dtype)


def products(row: Row, sample: Any) -> tuple[float, float] | None:
    """``<u, J t>`` and ``<Jᵀ u, t>``; None where nothing is differentiable."""
    rng = np.random.default_rng(1)
    leaves: list[Any] = []
    tangents: list[Any] = []

    def leaf(array: np.ndarray) -> Any:
        x = devgrad.from_numpy(array.copy())
        if array.dtype.kind in "fc":
            x.requires_grad_()
            leaves.append(x)
            tangents.append(devgrad.from_numpy(like(array, rng)))
        return x

    devgrad.manual_seed(0)
    outputs = flat(called(row, sample, leaf))
    if not outputs:
        return None
    cotangents = [devgrad.from_numpy(like(y.detach().numpy(), rng)) for y in outputs]
    grads = devgrad.autograd.grad(outputs, leaves, cotangents, allow_unused=True)
    backward = sum(inner(g, t) for g, t in zip(grads, tangents, strict=True) if g is not None)

    rest = iter(tangents)

    def dual(array: np.ndarray) -> Any:
        x = devgrad.from_numpy(array.copy())
        return forward_ad.make_dual(x, next(rest)) if array.dtype.kind in "fc" else x

    devgrad.manual_seed(0)
    with forward_ad.dual_level():
        found = [forward_ad.unpack_dual(y).tangent for y in flat(called(row, sample, dual))]
    pairs = zip(cotangents, found, strict=True)
    return sum(inner(u, t) for u, t in pairs if t is not None), backward


@pytest.mark.parametrize("row", DIFFERENTIABLE)
def test_forward_mode_is_the_transpose_of_backward(row: Row) -> None:
    tested = 0
    for sample in row.samples()[:3]:
        arrays = arrays_in((sample.args, sample.kwargs))
        if not any(a.dtype.kind in "fc" and a.size for a in arrays):
            continue
        found = products(row, sample)
        if found is not None:
            assert np.isclose(*found, rtol=1e-6, atol=1e-8, equal_nan=True), (found, sample)
            tested += 1
    if not tested:
        pytest.skip("no sample with elements to differentiate by")
