"""Broadcasting, and its undoing in the backward pass, on shapes drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from placement import numpy_of, placed, share_memory

import devgrad

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")

quick = settings(max_examples=60, deadline=None)
two_shapes = hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=4)
OPERATIONS: dict[str, Any] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
}


def operand(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).uniform(0.5, 2.0, size=shape))


def summed_to(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """NumPy's own way back from a broadcast: the definition, an index at a time."""
    total = np.zeros(shape)
    for index in np.ndindex(g.shape):
        tail = index[len(index) - len(shape) :]
        total[tuple(0 if n == 1 else i for i, n in zip(tail, shape, strict=True))] += g[index]
    return total


@quick
@given(two_shapes, st.sampled_from(sorted(OPERATIONS)))
def test_values_and_gradients(shapes: Any, name: str) -> None:
    (a, b), operation = shapes.input_shapes, OPERATIONS[name]
    xs, ys = operand(a, 1), operand(b, 2)
    x = placed(devgrad, xs).requires_grad_()
    y = placed(devgrad, ys).requires_grad_()
    z = operation(x, y)
    assert tuple(z.shape) == shapes.result_shape
    np.testing.assert_allclose(numpy_of(z), operation(xs, ys))
    v = operand(z.shape, 3)
    z.backward(placed(devgrad, v))
    slopes = {
        "add": (v, v), "sub": (v, -v), "mul": (v * ys, v * xs), "div": (v / ys, -v * xs / ys**2)
    }[name]  # fmt: skip
    for leaf, slope in zip((x, y), slopes, strict=True):
        assert leaf.grad.shape == leaf.shape
        expected = summed_to(np.broadcast_to(slope, z.shape), tuple(leaf.shape))
        np.testing.assert_allclose(numpy_of(leaf.grad), expected, atol=1e-12)
    assert not share_memory(x.grad, y.grad)


@needs_torch
@quick
@given(two_shapes, st.sampled_from(sorted(OPERATIONS)))
def test_second_order_is_pytorchs(shapes: Any, name: str) -> None:
    found = []
    for lib in (devgrad, torch):
        x = placed(lib, operand(shapes.input_shapes[0], 1)).requires_grad_()
        y = placed(lib, operand(shapes.input_shapes[1], 2)).requires_grad_()
        z = OPERATIONS[name](x * x, y * y)
        first = lib.autograd.grad(z, [x, y], lib.ones_like(z.detach()), create_graph=True)
        weights = [placed(lib, operand(tuple(g.shape), 5 + i)) for i, g in enumerate(first)]
        second = lib.autograd.grad(first, [x, y], weights)
        found.append([numpy_of(g) for g in (*first, *second)])
    for ours, theirs in zip(*found, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@needs_torch
@quick
@given(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
       hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))  # fmt: skip
def test_any_two_shapes_meet_or_are_refused_as_in_torch(a: Any, b: Any) -> None:
    outcomes = []
    for lib in (devgrad, torch):
        x, y = placed(lib, operand(a, 1)), placed(lib, operand(b, 2))
        try:
            outcomes.append(tuple((x * y).shape))
        except RuntimeError as error:
            outcomes.append(str(error).split(". ")[0])
    assert outcomes[0] == outcomes[1]


@needs_torch
@quick
@given(two_shapes, st.booleans())
def test_in_place_takes_what_broadcasts_to_it(shapes: Any, recorded: bool) -> None:
    outcomes = []
    for lib in (devgrad, torch):
        leaf = placed(lib, operand(shapes.input_shapes[0], 1)).requires_grad_(recorded)
        y = placed(lib, operand(shapes.input_shapes[1], 2)).requires_grad_(recorded)
        x = leaf * 1
        try:
            x.mul_(y)
        except RuntimeError as error:
            outcomes.append([str(error).split(". ")[0], numpy_of(x).tolist()])
            continue
        outcome: list[Any] = [numpy_of(x).tolist()]
        if recorded:
            x.backward(lib.ones_like(x.detach()))
            outcome += [numpy_of(leaf.grad).tolist(), np.round(numpy_of(y.grad), 12).tolist()]
        outcomes.append(outcome)
    assert str(outcomes[0]) == str(outcomes[1])
