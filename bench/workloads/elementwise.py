"""Elementwise operations over arrays of growing size."""

from __future__ import annotations

from typing import Any

from bench.registry import Case, workload

SIZES = {
    "100": {"size": 100},
    "1k": {"size": 1_000},
    "10k": {"size": 10_000},
    "100k": {"size": 100_000},
    "1M": {"size": 1_000_000},
    "10M": {"size": 10_000_000},
}


@workload("elementwise", per="step", cases=SIZES, quick={"size": 100})
def elementwise(lib: Any, device: Any, *, size: int) -> Case:
    """(sigmoid(2x + 1) * tanh(x)).sum(), forward and backward."""
    x = lib.linspace(-2.0, 2.0, size, device=device, requires_grad=True)
    out = None

    def step() -> None:
        nonlocal out
        x.grad = None
        out = (lib.sigmoid(2 * x + 1) * lib.tanh(x)).sum()
        out.backward()

    return Case(step, result=lambda: {"out": out, "x.grad": x.grad})


@elementwise.hand
def elementwise_hand(xp: Any, *, size: int) -> Case:
    """The same by hand, each temporary used again as soon as it is free."""
    x = xp.linspace(-2.0, 2.0, size, dtype=xp.float32)
    result: dict[str, Any] = {}

    def step() -> None:
        s = 2 * x
        s += 1
        s *= -1
        xp.exp(s, out=s)
        s += 1
        xp.divide(1, s, out=s)
        t = xp.tanh(x)
        out = xp.dot(s, t)

        # d/dx (s t) = s (1 - t^2) + 2 s (1 - s) t  =  s (1 - t^2 + 2 t (1 - s))
        g = 1 - s
        g *= t
        g *= 2
        g += 1
        t *= t
        g -= t
        g *= s
        result.update({"out": out, "x.grad": g})

    return Case(step, result=lambda: result)


@workload("elementwise_chain", per="op", cases=SIZES, quick={"size": 100}, rtol=1e-3)
def elementwise_chain(lib: Any, device: Any, *, size: int) -> Case:
    """20 additions and products in turn (6 over 10M elements), forward and backward."""
    x = lib.linspace(-1.0, 1.0, size, device=device, requires_grad=True)
    factor = lib.linspace(0.8, 0.9, size, device=device)
    ops = ops_in_chain(size)
    out = None

    def step() -> None:
        nonlocal out
        x.grad = None
        h = x
        for _ in range(ops // 2):
            h = h + x
            h = h * factor
        out = h.sum()
        out.backward()

    return Case(step, count=ops, result=lambda: {"x.grad": x.grad})


def ops_in_chain(size: int) -> int:
    """Fewer where each result takes 40 MB."""
    return 6 if size > 1_000_000 else 20


@elementwise_chain.hand
def elementwise_chain_hand(xp: Any, *, size: int) -> Case:
    """The derivative needs only the factor: one running product, and its sum."""
    x = xp.linspace(-1.0, 1.0, size, dtype=xp.float32)
    factor = xp.linspace(0.8, 0.9, size, dtype=xp.float32)
    ops = ops_in_chain(size)
    result: dict[str, Any] = {}

    def step() -> None:
        h = x
        for _ in range(ops // 2):
            h = h + x
            h *= factor
        h.sum()
        g = xp.ones(size, xp.float32)
        total = xp.zeros(size, xp.float32)
        for _ in range(ops // 2):
            g *= factor
            total += g
        total += g
        result["x.grad"] = total

    return Case(step, count=ops, result=lambda: result)
