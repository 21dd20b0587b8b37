"""Convolution, pooling and resampling, one by one and in a small network."""

from __future__ import annotations

from math import prod
from typing import Any

from bench.registry import Case, workload


def scattered(lib: Any, device: Any, *shape: int, scale: float = 1.0, start: int = 0) -> Any:
    """Numbers of both signs without an order to see, exactly the same in every library."""
    numbers = lib.arange(start, start + prod(shape), device=device)
    numbers = numbers * numbers * 7919 % 1_000_003  # a short period would be learnt by predictors
    return ((numbers - 500_001) / 500_001 * scale).reshape(*shape)


CONVOLUTIONS = {
    "16to32": {"input": (64, 16, 14, 14), "weight": (32, 16, 3, 3), "padding": 1},
    "64to64": {"input": (16, 64, 32, 32), "weight": (64, 64, 3, 3), "padding": 1},
    "stem": {"input": (8, 3, 64, 64), "weight": (64, 3, 7, 7), "padding": 3, "stride": 2},
    "1x1": {"input": (8, 256, 28, 28), "weight": (64, 256, 1, 1)},
    "depthwise": {
        "input": (8, 64, 56, 56), "weight": (64, 1, 3, 3), "padding": 1, "groups": 64,
    },
}  # fmt: skip


@workload("conv2d", per="step", cases=CONVOLUTIONS, rtol=1e-3)
def conv2d(lib: Any, device: Any, *, input: Any, weight: Any, **options: Any) -> Case:
    """A convolution with the gradients of input and weight, float32."""
    x = scattered(lib, device, *input).requires_grad_()
    w = scattered(lib, device, *weight, scale=prod(weight[1:]) ** -0.5, start=5).requires_grad_()
    g = lib.ones_like(lib.nn.functional.conv2d(x, w, **options)) * 0.5
    out = None

    def step() -> None:
        nonlocal out
        x.grad = w.grad = None
        out = lib.nn.functional.conv2d(x, w, **options)
        out.backward(g)

    return Case(step, result=lambda: {"out": out, "x.grad": x.grad, "w.grad": w.grad})


POOLS = {
    "max2": {"name": "max_pool2d", "input": (64, 16, 28, 28), "arguments": (2,)},
    "max3s2": {"name": "max_pool2d", "input": (8, 64, 56, 56), "arguments": (3, 2, 1)},
    "avg2": {"name": "avg_pool2d", "input": (64, 16, 28, 28), "arguments": (2,)},
    "adaptive": {"name": "adaptive_avg_pool2d", "input": (8, 256, 14, 14), "arguments": (5,)},
}


@workload("pool", per="step", cases=POOLS)
def pool(lib: Any, device: Any, *, name: str, input: Any, arguments: Any) -> Case:
    """Pooling in two dimensions and its gradient, float32."""
    x = scattered(lib, device, *input).requires_grad_()
    function = getattr(lib.nn.functional, name)
    g = lib.ones_like(function(x, *arguments)) * 0.5
    out = None

    def step() -> None:
        nonlocal out
        x.grad = None
        out = function(x, *arguments)
        out.backward(g)

    return Case(step, result=lambda: {"out": out, "x.grad": x.grad})


@workload("resample", per="step", cases={"bilinear": {"mode": "bilinear"},
                                         "bicubic": {"mode": "bicubic"}})  # fmt: skip
def resample(lib: Any, device: Any, *, mode: str) -> Case:
    """Images of 16 channels, 28×28, twice as large, and the gradient."""
    x = scattered(lib, device, 8, 16, 28, 28).requires_grad_()
    g = lib.ones(8, 16, 56, 56, device=device) * 0.5
    out = None

    def step() -> None:
        nonlocal out
        x.grad = None
        out = lib.nn.functional.interpolate(x, scale_factor=2, mode=mode, align_corners=False)
        out.backward(g)

    return Case(step, result=lambda: {"out": out, "x.grad": x.grad})


@workload("cnn", per="step", quick={"batch": 8})
def cnn(lib: Any, device: Any, *, batch: int = 64) -> Case:
    """Two 3×3 convolutions with ReLU and pooling, and a linear layer, on 28×28; all gradients."""
    F = lib.nn.functional
    x = scattered(lib, device, batch, 1, 28, 28)
    w1 = scattered(lib, device, 16, 1, 3, 3, scale=0.4, start=1).requires_grad_()
    w2 = scattered(lib, device, 32, 16, 3, 3, scale=0.1, start=2).requires_grad_()
    w3 = scattered(lib, device, 10, 32 * 7 * 7, scale=0.03, start=3).requires_grad_()
    b1, b2, b3 = (lib.zeros(n, device=device, requires_grad=True) for n in (16, 32, 10))
    labels = lib.arange(batch, device=device) % 10
    parameters = {"w1": w1, "b1": b1, "w2": w2, "b2": b2, "w3": w3, "b3": b3}
    out = None

    def step() -> None:
        nonlocal out
        for p in parameters.values():
            p.grad = None
        h = F.max_pool2d(F.relu(F.conv2d(x, w1, b1, padding=1)), 2)
        h = F.max_pool2d(F.relu(F.conv2d(h, w2, b2, padding=1)), 2)
        out = F.cross_entropy(F.linear(h.reshape(batch, -1), w3, b3), labels)
        out.backward()

    return Case(
        step, result=lambda: {"out": out, **{f"{n}.grad": p.grad for n, p in parameters.items()}}
    )
