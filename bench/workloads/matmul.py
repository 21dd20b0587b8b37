"""Products of square matrices."""

from __future__ import annotations

from typing import Any

from bench.registry import Case, workload

SIZES = {name: {"size": int(name)} for name in ("64", "512", "1024", "2048")}


@workload("matmul", per="step", cases=SIZES, quick={"size": 64})
def matmul(lib: Any, device: Any, *, size: int) -> Case:
    """(a @ b).sum() with both gradients, float32."""
    a = lib.linspace(-1.0, 3.0, size * size, device=device).reshape(size, size).requires_grad_()
    b = lib.linspace(0.0, 1.0, size * size, device=device).reshape(size, size).requires_grad_()
    out = None

    def step() -> None:
        nonlocal out
        a.grad = b.grad = None
        out = (a @ b).sum()
        out.backward()

    return Case(step, result=lambda: {"out": out, "a.grad": a.grad, "b.grad": b.grad})


@matmul.hand
def matmul_hand(xp: Any, *, size: int) -> Case:
    """Three products; the gradient of the sum is a matrix of ones."""
    a = xp.linspace(-1.0, 3.0, size * size, dtype=xp.float32).reshape(size, size)
    b = xp.linspace(0.0, 1.0, size * size, dtype=xp.float32).reshape(size, size)
    result: dict[str, Any] = {}

    def step() -> None:
        out = (a @ b).sum()
        g = xp.ones((size, size), dtype=xp.float32)
        result.update({"out": out, "a.grad": g @ b.T, "b.grad": a.T @ g})

    return Case(step, result=lambda: result)
