"""Inputs so large that the work is done in blocks, or by other ways than that of small ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import devgrad

torch = pytest.importorskip("torch")


def both(function: Any, *arrays: np.ndarray[Any, Any]) -> list[list[np.ndarray[Any, Any]]]:
    """Of PyTorch and devgrad: the result, and the gradients of the floating-point arrays."""
    found = []
    for lib in (torch, devgrad):
        inputs = [lib.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
        out = function(lib, *inputs)
        # No constant, and nothing like one: most of its gradient would cancel.
        (out * (lib.arange(out.numel()) % 7 - 2.5).reshape(out.shape)).sum().backward()
        gradients = [x.grad for x in inputs if x.requires_grad]
        found.append([x.detach().cpu().numpy() for x in (out, *gradients)])
    return found


def agree(found: Any, rtol: float = 1e-5) -> None:
    for theirs, ours in zip(*found, strict=True):
        assert ours.dtype == theirs.dtype
        scale = np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0)
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize(
    ("shape", "dim", "places"),
    [
        ((300, 70), 1, (290, 50)),
        ((300, 70), 0, (500, 60)),
        ((20, 30, 40), 0, (25, 30, 11)),
        ((20, 30, 40), 1, (20, 25, 40)),
        ((20, 30, 40), 2, (15, 30, 60)),
    ],
)
def test_gather_and_scatter_add(
    shape: tuple[int, ...], dim: int, places: tuple[int, ...], dtype: str
) -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal(shape).astype(np.float32)
    index = random.integers(0, shape[dim], places).astype(dtype)
    agree(both(lambda lib, x, index: x.gather(dim, index), x, index))
    source = random.standard_normal(places).astype(np.float32)
    if dtype == "int64":  # PyTorch's scatter_add takes no other
        agree(both(lambda lib, x, i, s: x.scatter_add(dim, i, s), x, index, source))


def test_gather_of_a_view_with_strides() -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((60, 70)).astype(np.float32)
    index = random.integers(0, 60, (70, 50))
    agree(both(lambda lib, x, index: x.t().gather(1, index), x, index))


@pytest.mark.parametrize("dim", [0, 1, 2, (0, 2), (1, 2), (0, 1, 2)])
def test_logsumexp(dim: int | tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal((40, 60, 50)).astype(np.float32) * 30
    agree(both(lambda lib, x: lib.logsumexp(x, dim), x))


def test_logsumexp_of_infinities() -> None:
    x = np.random.default_rng(0).standard_normal((400, 300)).astype(np.float32)
    x[3] = -np.inf
    x[5, ::2] = -np.inf
    x[7, 0] = np.inf
    found = both(lambda lib, x: lib.logsumexp(x, 1), x)
    out, gradient = found[1]
    assert np.isneginf(out[3])
    assert not gradient[3].any()  # a share of nothing; PyTorch has NaN there
    found[0][1][3] = 0.0
    agree(found)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "layer_norm"])
def test_rows_that_do_not_fill_their_blocks(name: str) -> None:
    x = np.random.default_rng(0).standard_normal((333, 777)).astype(np.float32)

    def function(lib: Any, x: Any) -> Any:
        by = (777,) if name == "layer_norm" else 1
        return getattr(lib.nn.functional, name)(x, by)

    agree(both(function, x), rtol=1e-4)


@pytest.mark.parametrize("exponent", [3, 4, 5, 6.0, 7, 8])
def test_powers_by_products(exponent: float) -> None:
    x = np.concatenate([np.linspace(-3, 3, 101), [0.0, np.inf, -np.inf, np.nan, 1e30, -1e-30]])
    found = both(lambda lib, x: x**exponent, x.astype(np.float32))
    for theirs, ours in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-6)
