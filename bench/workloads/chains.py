"""Chains of small ops, where the cost of an op is the library and not the arithmetic.

The constants keep values and gradients of ordinary size from end to end: a chain whose gradient
fades into denormal numbers would time the processor's slow path instead.
"""

from __future__ import annotations

from typing import Any

from bench.registry import Case, workload

SIZE = 100
CYCLES = 125
OPS_PER_CYCLE = 8

# One cycle maps h to (exp(tanh(sin(1.01 h + 0.1))) - a) * b + c, which has a fixed point at 0.5
# with slope 0.95: 125 cycles scale a gradient by about 1e-3.
SCALE, SHIFT = 1.01, 0.1
A, B, C = 1.4037, 0.93, 0.25


@workload("small_ops_chain", per="op")
def small_ops_chain(lib: Any, device: Any) -> Case:
    """A chain of 1,000 mixed ops on 100 float32 elements, forward and backward."""
    x = lib.linspace(0.5, 0.9, SIZE, device=device, requires_grad=True)
    a = lib.full((SIZE,), A, device=device)
    b = lib.full((SIZE,), B, device=device, requires_grad=True)
    c = lib.full((SIZE,), C, device=device, requires_grad=True)
    out = None

    def step() -> None:
        nonlocal out
        x.grad = b.grad = c.grad = None
        h = x
        for _ in range(CYCLES):
            h = h * SCALE
            h = h + SHIFT
            h = h.sin()
            h = h.tanh()
            h = h.exp()
            h = h - a
            h = h * b
            h = h + c
        out = h.sum()
        out.backward()

    return Case(
        step,
        count=CYCLES * OPS_PER_CYCLE,
        result=lambda: {"out": out, "x.grad": x.grad, "b.grad": b.grad, "c.grad": c.grad},
    )


@small_ops_chain.hand
def small_ops_chain_hand(xp: Any) -> Case:
    """Forward, then the derivatives by hand, from what the forward kept."""
    x = xp.linspace(0.5, 0.9, SIZE, dtype=xp.float32)
    a = xp.full(SIZE, A, dtype=xp.float32)
    b = xp.full(SIZE, B, dtype=xp.float32)
    c = xp.full(SIZE, C, dtype=xp.float32)
    # 0-d arrays: an operand that need not be converted at every call
    scale = xp.asarray(SCALE, dtype=xp.float32)
    shift = xp.asarray(SHIFT, dtype=xp.float32)
    one = xp.asarray(1, dtype=xp.float32)
    result: dict[str, Any] = {}

    def step() -> None:
        sin, cos, tanh, exp = xp.sin, xp.cos, xp.tanh, xp.exp
        kept = []
        h = x
        for _ in range(CYCLES):
            u = h * scale
            u += shift
            t = tanh(sin(u))
            e = exp(t)
            d = e - a
            h = d * b
            h += c
            kept.append((u, t, e, d))
        out = h.sum()

        g = xp.ones(SIZE, dtype=xp.float32)
        gb = xp.zeros(SIZE, dtype=xp.float32)
        gc = xp.zeros(SIZE, dtype=xp.float32)
        for u, t, e, d in reversed(kept):
            gc += g
            gb += g * d
            g = g * b
            g *= e
            g *= one - t * t
            g *= cos(u)
            g *= scale
        result.update({"out": out, "x.grad": g, "b.grad": gb, "c.grad": gc})

    return Case(step, count=CYCLES * OPS_PER_CYCLE, result=lambda: result)


@workload("deep_chain", per="op", quick={"depth": 2_000}, rounds=7)
def deep_chain(lib: Any, device: Any, *, depth: int = 100_000) -> Case:
    """One chain 100,000 deep on 10 elements, adding and multiplying in turn, and its backward."""
    x = lib.linspace(0.0, 1.0, 10, device=device, requires_grad=True)
    out = None

    def step() -> None:
        nonlocal out
        x.grad = None
        h = x
        for _ in range(depth // 2):
            h = h + 1.0
            h = h * -1.0  # of size one, so that nothing grows or fades
        out = h.sum()
        out.backward()

    return Case(step, count=depth, result=lambda: {"out": out, "x.grad": x.grad})


@deep_chain.hand
def deep_chain_hand(xp: Any, *, depth: int = 100_000) -> Case:
    """The chain and its product of derivatives; an addition's costs nothing by hand."""
    x = xp.linspace(0.0, 1.0, 10, dtype=xp.float32)
    one = xp.asarray(1, dtype=xp.float32)
    minus = xp.asarray(-1, dtype=xp.float32)
    result: dict[str, Any] = {}

    def step() -> None:
        h = x
        for _ in range(depth // 2):
            h = h + one
            h = h * minus
        g = xp.ones(10, dtype=xp.float32)
        for _ in range(depth // 2):
            g = g * minus
        result.update({"out": h.sum(), "x.grad": g})

    return Case(step, count=depth, result=lambda: result)
