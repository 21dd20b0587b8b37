"""``autograd.functional``: PyTorch's values, PyTorch's refusals."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import devgrad

try:
    import torch
except ImportError:
    torch = None

pytestmark = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is missing")

RNG = np.random.default_rng(7)


def some(*shape: int) -> np.ndarray:
    return RNG.random(shape) + 0.1


# Functions of a library and tensors, as in PyTorch's documentation and beyond, with their inputs.
FUNCTIONS: dict[str, tuple[Callable[..., Any], Any]] = {
    "exp_reducer": (lambda m, x: x.exp().sum(dim=1), some(4, 4)),
    "adder": (lambda m, x, y: 2 * x + 3 * y, (some(2), some(2))),
    "exp_adder": (lambda m, x, y: 2 * x.exp() + 3 * y, (some(2), some(2))),
    "linear": (
        lambda m, x: x @ m.tensor([[2.0, -1.0], [0.0, 1.0]], dtype=m.float64).T, some(3, 2)
    ),
    "two outputs": (lambda m, x, y: (x * y, (x**3).sum()), (some(3), some(3))),
    "tuple of one": (lambda m, x: (x**3,), (some(2),)),
    "constant": (lambda m, x: m.zeros(2, dtype=m.float64), some(3)),
    "one unused": (lambda m, x, y: x * 2, (some(2), some(2))),
    "one constant output": (lambda m, x: (x.exp(), m.ones(2, dtype=m.float64)), some(2)),
    "no tensor": (lambda m, x: 3, some(2)),
    "pow_reducer": (lambda m, x: x.pow(3).sum(), some(2, 2)),
    "exp_adder_reducer": (lambda m, x, y: (x.exp() * y.pow(3)).sum(), (some(2), some(2))),
    "sum": (lambda m, x: x.sum(), some(3)),
    "one element": (lambda m, x: x**3, some(1)),
    "scalar of one": (lambda m, x, y: x.exp().sum(), (some(2), some(2))),
    "complex": (lambda m, x: (x * x).real.sum(), some(2) + 1j * some(2)),
}  # fmt: skip


def convert(m: Any, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(convert(m, v) for v in value)
    dtype = m.complex128 if value.dtype.kind == "c" else m.float64
    return m.tensor(value.tolist(), dtype=dtype)


def run(m: Any, name: str, function: Callable[..., Any], inputs: Any, v: Any, options: Any) -> Any:
    given = () if v is None else (convert(m, v),)
    try:
        return getattr(m.autograd.functional, name)(
            lambda *x: function(m, *x), convert(m, inputs), *given, **options
        )
    except (RuntimeError, TypeError, NotImplementedError, AssertionError) as error:
        return error


def flat(value: Any) -> Iterator[Any]:
    if isinstance(value, (tuple, list)):
        for v in value:
            yield from flat(v)
    else:
        yield value


def shape_of(value: Any) -> Any:
    return [shape_of(v) for v in value] if isinstance(value, (tuple, list)) else "leaf"


def check_same(ours: Any, theirs: Any, what: str, grad: bool = True) -> None:
    if isinstance(theirs, Exception):
        text = str(theirs).rstrip(".")
        if "<class" in text:  # the phrase goes on with the type's name
            text = text.partition("<class")[0]
        assert type(ours) is type(theirs) and text in str(ours), f"{what}: {ours!r}\n{theirs!r}"
        return
    assert not isinstance(ours, Exception), f"{what}: {ours!r}"
    assert shape_of(ours) == shape_of(theirs), what
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        assert tuple(a.shape) == tuple(b.shape), what
        assert str(a.dtype) == str(b.dtype), what
        np.testing.assert_allclose(a.detach().tolist(), b.detach().tolist(), rtol=1e-12, atol=1e-14)
        if grad:
            assert a.requires_grad == b.requires_grad, what


def vectors(name: str, function: Callable[..., Any], inputs: Any) -> list[Any]:
    """Vectors for a product: none, a proper one, improper ones."""
    if name in ("jacobian", "hessian"):
        return [None]
    like = inputs
    if name == "vjp":
        given = inputs if isinstance(inputs, tuple) else (inputs,)
        outputs = function(torch, *convert(torch, given))
        if isinstance(outputs, int):
            return [None]
        numbers = tuple(np.asarray(y.detach()) for y in (
            outputs if isinstance(outputs, tuple) else (outputs,)
        ))  # fmt: skip
        like = numbers if isinstance(outputs, tuple) else numbers[0]
    proper = tuple(map(np.cos, like)) if isinstance(like, tuple) else np.cos(like)
    return [None, proper, some(7), (some(1), some(1), some(1))]


@pytest.mark.parametrize("case", FUNCTIONS)
@pytest.mark.parametrize("name", ["vjp", "jvp", "jacobian", "hessian", "vhp", "hvp"])
def test_values_and_refusals_are_pytorchs(name: str, case: str) -> None:
    function, inputs = FUNCTIONS[case]
    for v in vectors(name, function, inputs):
        for create_graph, strict in itertools.product((False, True), repeat=2):
            options = dict(create_graph=create_graph, strict=strict)
            ours = run(devgrad, name, function, inputs, v, options)
            theirs = run(torch, name, function, inputs, v, options)
            check_same(ours, theirs, f"{options}, v={v}")


# PyTorch's own forward mode starts with what PyTorch itself deprecates.
torchs_warning = pytest.mark.filterwarnings("ignore:`torch.jit.script.*:DeprecationWarning")


@torchs_warning
@pytest.mark.parametrize("case", ["exp_reducer", "two outputs", "one unused", "exp_adder"])
def test_jacobian_by_other_ways(case: str) -> None:
    function, inputs = FUNCTIONS[case]
    for options in (
        dict(vectorize=True),
        dict(vectorize=True, strict=True),
        dict(vectorize=True, strategy="forward-mode"),
        dict(strategy="forward-mode"),
        dict(vectorize=True, strategy="forward-mode", strict=True),
        dict(vectorize=True, strategy="forward-mode", create_graph=True),
        dict(strategy="sideways"),
    ):
        ours = run(devgrad, "jacobian", function, inputs, None, options)
        theirs = run(torch, "jacobian", function, inputs, None, options)
        check_same(ours, theirs, str(options), grad=False)


@torchs_warning
@pytest.mark.parametrize("case", ["pow_reducer", "exp_adder_reducer", "scalar of one", "sum"])
def test_hessian_by_other_ways(case: str) -> None:
    function, inputs = FUNCTIONS[case]
    for options in (
        dict(vectorize=True),
        dict(vectorize=True, outer_jacobian_strategy="forward-mode"),
        dict(outer_jacobian_strategy="sideways"),
    ):
        ours = run(devgrad, "hessian", function, inputs, None, options)
        theirs = run(torch, "hessian", function, inputs, None, options)
        check_same(ours, theirs, str(options), grad=False)


def test_a_captured_tensor_is_not_the_argument() -> None:
    """The derivative is by the argument alone, also where the function uses the tensor itself."""
    for m in (devgrad, torch):
        x = m.tensor([2.0, 3.0], requires_grad=True)
        found = m.autograd.functional.jacobian(lambda y, x=x: y * x, x)
        assert found.tolist() == [[2.0, 0.0], [0.0, 3.0]]
        assert not found.requires_grad
        assert x.grad is None


def test_results_can_be_differentiated_again() -> None:
    found = []
    for m in (devgrad, torch):
        F = m.autograd.functional
        x = m.tensor([0.3, 0.8], dtype=m.float64, requires_grad=True)
        hessian = F.hessian(lambda x: (x**4).sum(), x, create_graph=True)
        value, product = F.vhp(lambda x: (x**4).sum(), x, x.detach(), create_graph=True)
        _, forward = F.jvp(lambda x: x.exp() * x, x, x.detach(), create_graph=True)
        (hessian.sum() + value + product.sum() + forward.sum()).backward()
        found.append(x.grad.tolist())
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_grad_mode_is_left_as_it_was() -> None:
    x = devgrad.ones(2)
    with devgrad.no_grad():
        devgrad.autograd.functional.hessian(lambda x: (x**3).sum(), x)
        assert not devgrad.is_grad_enabled()
    assert devgrad.is_grad_enabled()
    assert not x.requires_grad


def test_newtons_method_converges() -> None:
    """A program that needs all of it: minimise Rosenbrock's function."""
    x = devgrad.tensor([-1.2, 1.0], dtype=devgrad.float64)

    def f(x: Any) -> Any:
        return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2

    for _ in range(8):
        slope = devgrad.autograd.functional.jacobian(f, x)
        (a, b), (c, d) = devgrad.autograd.functional.hessian(f, x).tolist()
        g, h = slope.tolist()
        x = x - devgrad.tensor([d * g - b * h, a * h - c * g], dtype=x.dtype) / (a * d - b * c)
    assert x.tolist() == pytest.approx([1.0, 1.0], abs=1e-10)
