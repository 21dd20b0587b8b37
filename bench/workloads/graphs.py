"""Wide graphs and derivatives of derivatives: the engine, with hardly any arithmetic."""

from __future__ import annotations

from typing import Any

from bench.registry import Case, workload


@workload("fan_out", per="use", quick={"uses": 500}, rounds=9, rtol=1e-3)
def fan_out(lib: Any, device: Any, *, uses: int = 10_000) -> Case:
    """One leaf of 10 elements used 10,000 times: as many gradients to add up."""
    x = lib.linspace(0.0, 1.0, 10, device=device, requires_grad=True)
    out = None

    def step() -> None:
        nonlocal out
        x.grad = None
        total = x * 0.5
        for _ in range(uses - 1):
            total = total + x * 0.5
        out = total.sum()
        out.backward()

    return Case(step, count=uses, result=lambda: {"out": out, "x.grad": x.grad})


@workload("wide", per="branch", quick={"branches": 100}, rounds=9)
def wide(lib: Any, device: Any, *, branches: int = 1_000) -> Case:
    """1,000 leaves of 10 elements, a product and a tanh each, stacked and summed."""
    leaves = [
        lib.linspace(0.0, 1.0 + i / branches, 10, device=device, requires_grad=True)
        for i in range(branches)
    ]
    out = None

    def step() -> None:
        nonlocal out
        for leaf in leaves:
            leaf.grad = None
        out = lib.stack([(leaf * 2.0).tanh() for leaf in leaves]).sum()
        out.backward()

    return Case(step, count=branches, result=lambda: {"out": out, "last.grad": leaves[-1].grad})


def _quartic(lib: Any, x: Any) -> Any:
    """A function whose Hessian is full: neighbours multiply, and a square couples all."""
    return (x**4).sum() + (x[1:] * x[:-1]).sum() ** 2


@workload("hessian_vector_product", per="product", quick={"size": 100})
def hessian_vector_product(lib: Any, device: Any, *, size: int = 1_000) -> Case:
    """A gradient with its graph, and the derivative of its product with a vector; size 1,000."""
    x = lib.linspace(-1.0, 1.0, size, device=device, requires_grad=True)
    v = lib.linspace(0.5, 1.5, size, device=device)
    product = None

    def step() -> None:
        nonlocal product
        (gradient,) = lib.autograd.grad(_quartic(lib, x), x, create_graph=True)
        (product,) = lib.autograd.grad(gradient, x, v)

    return Case(step, result=lambda: {"product": product})


@workload("hessian", per="matrix", quick={"size": 10})
def hessian(lib: Any, device: Any, *, size: int = 100) -> Case:
    """`autograd.functional.hessian` of a function of 100 elements."""
    x = lib.linspace(-1.0, 1.0, size, device=device)
    matrix = None

    def step() -> None:
        nonlocal matrix
        matrix = lib.autograd.functional.hessian(lambda x: _quartic(lib, x), x)

    return Case(step, result=lambda: {"matrix": matrix})
