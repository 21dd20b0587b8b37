"""`func` and `autograd.forward_ad` against PyTorch's: the same programs, the same results."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from placement import numpy_of, placed

import devgrad

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

Program = Callable[[Any], Any]
PROGRAMS: list[Any] = []


def program(function: Program) -> Program:
    """A program that is run with each library in turn."""
    PROGRAMS.append(pytest.param(function, id=function.__name__))
    return function


def plain(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        return [plain(part) for part in x]
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if hasattr(x, "grad_fn"):
        return (numpy_of(x), x.requires_grad)
    return x


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in theirs)
    if isinstance(theirs, (list, tuple)):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, np.ndarray):
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            return False
        return bool(np.allclose(ours, theirs, rtol=1e-9, atol=1e-12))
    return bool(ours == theirs)


# They draw on the default device, and PyTorch, which they are compared with, on the CPU.
RANDOM = {
    "same_random_numbers", "random_numbers_refused", "called_with_other_parameters",
    "gradients_by_functional_call", "an_ensemble",
}  # fmt: skip


@pytest.mark.parametrize("function", PROGRAMS)
def test_program(function: Program, device: str) -> None:
    if device == "cuda" and function.__name__ in RANDOM:
        pytest.skip("a GPU's random numbers are others than PyTorch's on the CPU")
    results: list[Any] = []
    for lib in (devgrad, torch):
        lib.manual_seed(3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's own
            try:
                results.append(plain(function(lib)))
            except Exception as error:
                results.append(error)
    ours, theirs = results
    if isinstance(theirs, Exception):
        assert type(ours) is type(theirs), (ours, theirs)
        assert str(ours)[:40] == str(theirs)[:40]
    else:
        if isinstance(ours, Exception):
            raise ours
        assert same(ours, theirs), (ours, theirs)


def values(lib: Any, *shape: int, start: float = 0.3) -> Any:
    n = int(np.prod(shape, dtype=int))
    return placed(lib, np.array(np.sin(np.arange(n) + start).reshape(shape) + 0.1))


def func(lib: Any) -> Any:
    return importlib.import_module(f"{lib.__name__}.func")


def f(x: Any) -> Any:
    """Of any shape, to a number."""
    return (x.sin() * x.exp()).sum() + (x**3).sum() * x.sum()


def vector(x: Any) -> Any:
    """From a vector to a vector."""
    return x.sin() * x.flip(0) + x.cumsum(0) ** 2


# --- grad, vjp, jvp -------------------------------------------------------------------------------


@program
def gradient(lib: Any) -> Any:
    return func(lib).grad(f)(values(lib, 4))


@program
def gradients_of_gradients(lib: Any) -> Any:
    g = func(lib).grad
    h = g(lambda x: x.sin() * x**2)
    return [h(values(lib)), g(h)(values(lib)), g(g(h))(values(lib))]


@program
def gradient_of_several(lib: Any) -> Any:
    def product(x: Any, y: Any, scale: float = 1.0) -> Any:
        return (x * y.exp()).sum() * scale

    x, y = values(lib, 3), values(lib, 3, start=1.0)
    g = func(lib).grad
    return [g(product, argnums=(0, 1))(x, y, scale=2.0), g(product, argnums=1)(x, y)]


@program
def gradient_of_a_container(lib: Any) -> Any:
    def loss(params: Any, x: Any) -> Any:
        return ((params["w"] * x + params["b"][0]) ** 2).sum()

    params = {"w": values(lib, 3), "b": [values(lib)]}
    return func(lib).grad(loss)(params, values(lib, 3, start=1.0))


@program
def value_and_something_else(lib: Any) -> Any:
    both = func(lib).grad_and_value(lambda x: (f(x), {"twice": x * 2}), has_aux=True)
    return [both(values(lib, 3)), func(lib).grad_and_value(f)(values(lib, 3))]


@program
def gradient_through_a_change_in_place(lib: Any) -> Any:
    def g(x: Any) -> Any:
        y = x * 2
        y[0] = y[1] * y[2]
        y.mul_(x)
        return y.sum()

    return [func(lib).grad(g)(values(lib, 3)), func(lib).hessian(g)(values(lib, 3))]


@program
def what_surrounds_is_differentiated_too(lib: Any) -> Any:
    w = values(lib, 3).requires_grad_()
    x = values(lib, 3, start=1.0).requires_grad_()
    slope = func(lib).grad(lambda x: (w * x**2).sum())(x)
    slope.sum().backward()
    return [slope, w.grad, x.grad]


@program
def without_an_outside_nothing_requires_grad(lib: Any) -> Any:
    w = values(lib, 3)
    value, _ = func(lib).vjp(lambda x: x * w, w)
    pushed = func(lib).jvp(lambda x: x * w, (w,), (w,))
    return [func(lib).grad(lambda x: (w * x**2).sum())(w), pushed, value]


@program
def of_no_number(lib: Any) -> Any:
    return func(lib).grad(lambda x: x * 2)(values(lib, 3))


@program
def of_no_tensor(lib: Any) -> Any:
    return func(lib).grad(lambda x: 3.0)(values(lib, 3))


@program
def of_an_argument_that_there_is_not(lib: Any) -> Any:
    return func(lib).grad(f, argnums=3)(values(lib, 3))


@program
def pulling_back(lib: Any) -> Any:
    y, pull = func(lib).vjp(lambda x, z: (vector(x), x * z), values(lib, 3), values(lib, 3))
    return [y, pull((values(lib, 3), values(lib, 3, start=2.0)))]


@program
def pushing_forward(lib: Any) -> Any:
    x, t = values(lib, 4), values(lib, 4, start=2.0)
    return func(lib).jvp(vector, (x,), (t,))


@program
def pushing_forward_twice(lib: Any) -> Any:
    jvp = func(lib).jvp
    x, t = values(lib, 4), values(lib, 4, start=2.0)
    return jvp(lambda x: jvp(vector, (x,), (t,))[1], (x,), (t,))


@program
def forward_over_reverse(lib: Any) -> Any:
    x, t = values(lib, 4), values(lib, 4, start=2.0)
    return func(lib).jvp(func(lib).grad(f), (x,), (t,))


@program
def reverse_over_forward(lib: Any) -> Any:
    x, t = values(lib, 4), values(lib, 4, start=2.0)
    return func(lib).grad(lambda x: func(lib).jvp(f, (x,), (t,))[1])(x)


@program
def perturbations_are_not_confused(lib: Any) -> Any:
    jvp, one = func(lib).jvp, lib.ones((), dtype=lib.float64)

    def outer(x: Any) -> Any:
        return x * jvp(lambda y: x + y, (one,), (one,))[1]

    return jvp(outer, (one,), (one,))


@program
def linearized(lib: Any) -> Any:
    y, push = func(lib).linearize(vector, values(lib, 3))
    return [y, push(values(lib, 3, start=1.0)), push(values(lib, 3, start=2.0))]


# --- Jacobians ------------------------------------------------------------------------------------


@program
def jacobians(lib: Any) -> Any:
    x = values(lib, 4)
    return [func(lib).jacrev(vector)(x), func(lib).jacfwd(vector)(x)]


@program
def jacobians_of_matrices(lib: Any) -> Any:
    def g(a: Any, b: Any) -> Any:
        return (a @ b).tanh()

    a, b = values(lib, 2, 3), values(lib, 3, 2, start=1.0)
    return [func(lib).jacrev(g, argnums=(0, 1))(a, b), func(lib).jacfwd(g, argnums=1)(a, b)]


@program
def hessians(lib: Any) -> Any:
    h = func(lib)
    x = values(lib, 3)
    return [h.hessian(f)(x), h.jacrev(h.jacrev(f))(x), h.jacfwd(h.jacfwd(f))(x)]


@program
def jacobian_and_something_else(lib: Any) -> Any:
    def g(x: Any) -> Any:
        return x**2, x * 3

    h = func(lib)
    return [h.jacrev(g, has_aux=True)(values(lib, 2)), h.jacfwd(g, has_aux=True)(values(lib, 2))]


# --- vmap -----------------------------------------------------------------------------------------


@program
def batched(lib: Any) -> Any:
    vmap = func(lib).vmap
    a, b = values(lib, 3, 4), values(lib, 4, 3, start=1.0)
    return [
        vmap(lambda x: x.sum())(a),
        vmap(lambda x, y: x * y, in_dims=(0, 1))(a, b),
        vmap(lambda x, y: x + y, in_dims=(0, None), out_dims=1)(a, b[:, 0]),
        vmap(lambda x: (x, x.sum()), out_dims=(1, 0))(a),
        vmap(lambda d: d["a"] @ d["b"], in_dims=({"a": 0, "b": 1},))({"a": a, "b": b}),
    ]


@program
def batched_twice(lib: Any) -> Any:
    vmap = func(lib).vmap
    return vmap(vmap(lambda x, y: (x * y).sum(), (None, 0)), (0, None))(
        values(lib, 3, 4), values(lib, 2, 4)
    )


@program
def gradients_of_each_sample(lib: Any) -> Any:
    def loss(w: Any, x: Any, y: Any) -> Any:
        return ((x @ w).tanh() - y) ** 2

    g = func(lib).vmap(func(lib).grad(loss), in_dims=(None, 0, 0))
    return g(values(lib, 3), values(lib, 5, 3), values(lib, 5))


@program
def batch_of_what_requires_grad(lib: Any) -> Any:
    x = values(lib, 3, 4).requires_grad_()
    y = func(lib).vmap(lambda row: row.exp().sum())(x)
    (y * values(lib, 3)).sum().backward()
    return [y, x.grad]


@program
def same_random_numbers(lib: Any) -> Any:
    y = func(lib).vmap(lambda x: x + lib.rand(2), randomness="same")(values(lib, 3, 2))
    y = y - values(lib, 3, 2)
    return [bool((y[0] - y[1]).abs().max() < 1e-6), bool((y[0] - y[2]).abs().max() < 1e-6)]


@program
def random_numbers_refused(lib: Any) -> Any:
    return func(lib).vmap(lambda x: x + lib.rand(2))(values(lib, 3, 2))


@program
def batches_of_several_sizes(lib: Any) -> Any:
    return func(lib).vmap(lambda x, y: x)(values(lib, 3), values(lib, 4))


@program
def nothing_batched(lib: Any) -> Any:
    return func(lib).vmap(lambda x: x, in_dims=(None,))(values(lib, 3))


@program
def batch_of_numbers(lib: Any) -> Any:
    return func(lib).vmap(lambda x: x)(3.0)


@program
def batch_dimension_that_there_is_not(lib: Any) -> Any:
    return func(lib).vmap(lambda x: x, in_dims=2)(values(lib, 3))


@program
def result_that_is_no_tensor(lib: Any) -> Any:
    return func(lib).vmap(lambda x: 3.0)(values(lib, 3))


# --- forward_ad -----------------------------------------------------------------------------------


def forward_ad(lib: Any) -> Any:
    return importlib.import_module(f"{lib.__name__}.autograd.forward_ad")


def tangent(lib: Any, function: Callable[..., Any], *primals: Any) -> Any:
    fw = forward_ad(lib)
    with fw.dual_level():
        duals = [
            fw.make_dual(p, values(lib, *p.shape, start=5.0 + i)) for i, p in enumerate(primals)
        ]
        return list(fw.unpack_dual(function(*duals)))


@program
def dual_elementwise(lib: Any) -> Any:
    return tangent(
        lib, lambda x, y: (x * y).sin() / y.exp() - x.sigmoid(), values(lib, 4), values(lib, 4)
    )


@program
def dual_matrices(lib: Any) -> Any:
    return tangent(
        lib, lambda x, y: (x @ y).softmax(-1).cumsum(0), values(lib, 2, 3), values(lib, 3, 2)
    )


@program
def dual_views_and_changes_in_place(lib: Any) -> Any:
    def g(x: Any) -> Any:
        y = x * 2
        y[0].mul_(x[1])
        y[1] = x[0] ** 2
        return y.t() * 3

    return tangent(lib, g, values(lib, 2, 2))


@program
def dual_several_outputs(lib: Any) -> Any:
    def g(x: Any) -> Any:
        a, b = x.unbind(0)
        top, _ = x.max(1)
        return a * b + top[:2].sum()

    return tangent(lib, g, values(lib, 2, 3))


@program
def dual_broadcast(lib: Any) -> Any:
    return tangent(lib, lambda x, y: x * y + y, values(lib, 2, 3), values(lib, 3))


@program
def dual_and_constant(lib: Any) -> Any:
    return tangent(
        lib, lambda x: x * values(lib, 3) + lib.ones(3, dtype=lib.float64), values(lib, 3)
    )


@program
def no_tangent(lib: Any) -> Any:
    fw = forward_ad(lib)
    with fw.dual_level():
        return [fw.unpack_dual(values(lib, 2) * 2).tangent, fw.unpack_dual(values(lib, 2)).tangent]


@program
def dual_of_a_leaf(lib: Any) -> Any:
    fw = forward_ad(lib)
    x = values(lib, 3).requires_grad_()
    with fw.dual_level():
        y = fw.make_dual(x, values(lib, 3, start=1.0)) ** 3
        y_tangent = fw.unpack_dual(y).tangent
        (second,) = lib.autograd.grad(y_tangent.sum(), x)
    return [y_tangent.detach(), second]


@program
def dual_of_another_shape(lib: Any) -> Any:
    fw = forward_ad(lib)
    with fw.dual_level():
        fw.make_dual(values(lib, 3), values(lib, 2))


@program
def dual_of_integers(lib: Any) -> Any:
    fw = forward_ad(lib)
    with fw.dual_level():
        fw.make_dual(lib.tensor([1]), lib.tensor([1]))


@program
def dual_outside_of_a_level(lib: Any) -> Any:
    forward_ad(lib).make_dual(values(lib, 3), values(lib, 3))


@program
def dual_through_a_function(lib: Any) -> Any:
    class Cube(lib.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_forward(x)
            ctx.x = x
            return x**3

        @staticmethod
        def jvp(ctx: Any, t: Any) -> Any:
            return 3 * ctx.x**2 * t

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 3 * ctx.x**2

    return tangent(lib, lambda x: Cube.apply(x).sin(), values(lib, 3))


# --- modules --------------------------------------------------------------------------------------


def module(lib: Any) -> Any:
    lib.manual_seed(5)
    nn = importlib.import_module(f"{lib.__name__}.nn")
    return nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1)).double()


@program
def called_with_other_parameters(lib: Any) -> Any:
    net, x = module(lib), values(lib, 4, 3)
    doubled = {name: p.detach() * 2 for name, p in net.named_parameters()}
    return [func(lib).functional_call(net, doubled, x), net(x)]


@program
def gradients_by_functional_call(lib: Any) -> Any:
    net, x = module(lib), values(lib, 4, 3)
    params = {name: p.detach() for name, p in net.named_parameters()}

    def loss(params: Any, x: Any) -> Any:
        return func(lib).functional_call(net, params, (x,)).pow(2).sum()

    g = func(lib)
    return [g.grad(loss)(params, x), g.vmap(g.grad(loss), in_dims=(None, 0))(params, x)]


@program
def an_ensemble(lib: Any) -> Any:
    nets, x = [module(lib), module(lib)], values(lib, 4, 3)
    params, buffers = func(lib).stack_module_state(nets)

    def call(params: Any, buffers: Any, x: Any) -> Any:
        return func(lib).functional_call(nets[0], (params, buffers), (x,))

    out = func(lib).vmap(call, (0, 0, None))(params, buffers, x)
    return [out.detach(), {k: v.shape for k, v in params.items()}]
