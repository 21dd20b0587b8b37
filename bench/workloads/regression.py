"""The founding tutorial's regression: y = w * x^2 + b, learned by hand-written descent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from bench.registry import Case, workload

SEED = 100
LEARNING_RATE = 0.001


@dataclass
class Problem:
    """The tutorial's data and parameters on a device."""

    x: Any
    y: Any
    w: Any
    b: Any


def problem(lib: Any, device: Any) -> Problem:
    """The tutorial's cells 1 and 2, drawn on the CPU so that every device gets the same numbers."""
    lib.manual_seed(SEED)
    x = lib.unsqueeze(lib.linspace(-1, 1, 100), dim=1)
    y = 3 * x.pow(2) + 2 + 0.2 * lib.rand(x.size())
    w = lib.randn(1, 1, dtype=lib.float)
    b = lib.zeros(1, 1, dtype=lib.float)
    return Problem(
        x.to(device),
        y.to(device),
        w.to(device).requires_grad_(),
        b.to(device).requires_grad_(),
    )


@workload("regression", per="iteration")
def regression(lib: Any, device: Any) -> Case:
    """The tutorial's training loop, line for line: 100 points, two parameters."""
    data = problem(lib, device)
    x, y, w, b = data.x, data.y, data.w, data.b
    lr = LEARNING_RATE
    loss = None

    def step() -> None:
        nonlocal w, b, loss
        y_pred = w * x.pow(2) + b

        loss = (y - y_pred) ** 2
        loss = loss.sum()

        loss.backward()

        with lib.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad

            w.grad.zero_()
            b.grad.zero_()

    return Case(step, result=lambda: {"loss": loss, "w": w, "b": b})


def hand_problem() -> Problem:
    """The same data without any library: PyTorch's random stream out of NumPy's MT19937."""
    import numpy as np

    words = np.frombuffer(np.random.RandomState(SEED).bytes(4 * 104), dtype="<u4")
    rand = (words[:100] & 0xFFFFFF).astype(np.float32) * np.float32(2**-24)
    u1, u2 = (
        ((int(high) << 32 | int(low)) & (2**53 - 1)) * 2.0**-53
        for high, low in words[100:].reshape(2, 2)
    )
    randn = math.sqrt(-2 * math.log1p(-u2)) * math.cos(2 * math.pi * u1)

    x = np.linspace(-1, 1, 100, dtype=np.float32).reshape(100, 1)
    y = 3 * x * x + 2 + np.float32(0.2) * rand.reshape(100, 1)
    return Problem(x, y, np.full((1, 1), randn, np.float32), np.zeros((1, 1), np.float32))


@regression.hand
def regression_hand(xp: Any) -> Case:
    """The same iteration with the derivatives worked out by hand."""
    data = hand_problem()
    x, y, w, b = (xp.asarray(a) for a in (data.x, data.y, data.w, data.b))
    lr = LEARNING_RATE
    loss = None

    def step() -> None:
        nonlocal w, b, loss
        x2 = x * x
        residual = y - (w * x2 + b)
        loss = xp.dot(residual.T, residual)

        w -= (-2 * lr) * xp.dot(residual.T, x2)
        b -= (-2 * lr) * xp.add.reduce(residual)

    return Case(step, result=lambda: {"loss": loss, "w": w, "b": b})
