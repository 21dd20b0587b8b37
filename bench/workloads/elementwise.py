"""A short elementwise expression over arrays of growing size."""

from __future__ import annotations

from typing import Any

from bench.registry import Case, workload

SIZES = {"100": {"size": 100}, "10k": {"size": 10_000}, "1M": {"size": 1_000_000}}


@workload("elementwise", per="step", cases=SIZES)
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
