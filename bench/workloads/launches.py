"""Small tensors, where launching kernels (on the CPU: calling functions) costs more than computing.

On CUDA each of these is a kernel of devgrad's own; see docs/cuda.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.registry import Case, workload
from bench.workloads.images import scattered

Function = Callable[[Any, Any, Any], Any]


def _weights(lib: Any, x: Any) -> tuple[Any, Any]:
    kept = {"device": x.device, "requires_grad": True}
    return lib.linspace(0.5, 1.5, 64, **kept), lib.linspace(-0.1, 0.1, 64, **kept)


# Functions of (lib, x, weights) for x of 32 rows of 64.
FUNCTIONS: dict[str, Function] = {
    "softmax": lambda lib, x, weights: lib.nn.functional.softmax(x, dim=1),
    "log_softmax": lambda lib, x, weights: lib.nn.functional.log_softmax(x, dim=1),
    "softmax_across": lambda lib, x, weights: lib.nn.functional.softmax(x, dim=0),
    "cross_entropy": lambda lib, x, weights: lib.nn.functional.cross_entropy(
        x, lib.arange(32, device=x.device)
    ),
    "layer_norm": lambda lib, x, weights: lib.nn.functional.layer_norm(x, (64,), *weights),
    "batch_norm": lambda lib, x, weights: lib.nn.functional.batch_norm(
        x, None, None, *weights, training=True
    ),
    "gelu": lambda lib, x, weights: lib.nn.functional.gelu(x),
    "gelu_tanh": lambda lib, x, weights: lib.nn.functional.gelu(x, approximate="tanh"),
    "silu": lambda lib, x, weights: lib.nn.functional.silu(x),
}


@workload("launches", per="step", cases={name: {"name": name} for name in FUNCTIONS}, rtol=1e-3)
def launches(lib: Any, device: Any, *, name: str) -> Case:
    """A function of 32 rows of 64 elements, and its derivative."""
    x = scattered(lib, device, 32, 64, scale=4.0).requires_grad_()
    weights = _weights(lib, x)
    function = FUNCTIONS[name]
    out = function(lib, x, weights).detach()
    g = scattered(lib, device, *(out.shape or (1,)), start=3).reshape(out.shape)

    def step() -> None:
        nonlocal out
        x.grad = weights[0].grad = weights[1].grad = None
        out = function(lib, x, weights)
        out.backward(g)

    return Case(step, result=lambda: {"out": out, "x.grad": x.grad})


@workload("dropout", per="step", cases={"small": {"size": 2048}, "1M": {"size": 1 << 20}},
          quick={"size": 2048})  # fmt: skip
def dropout(lib: Any, device: Any, *, size: int) -> Case:
    """Dropout and its derivative; on a GPU each library has random numbers of its own."""
    x = lib.linspace(-1.0, 1.0, size, device=device, requires_grad=True)
    g = lib.ones(size, device=device)

    def step() -> None:
        x.grad = None
        lib.nn.functional.dropout(x, 0.5).backward(g)

    return Case(step)


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"name": "SGD", "momentum": 0.9},
    "adam": {"name": "Adam"},
    "adamw": {"name": "AdamW"},
}


@workload("optimizer_step", per="step", cases=OPTIMIZERS, quick={"count": 8})
def optimizer_step(lib: Any, device: Any, *, name: str, count: int = 100, **options: Any) -> Case:
    """One step for 100 parameters of 256 elements."""
    params = [scattered(lib, device, 256, start=i).detach().requires_grad_() for i in range(count)]
    for i, p in enumerate(params):
        p.grad = scattered(lib, device, 256, start=i + 7)
    optimizer = getattr(lib.optim, name)(params, lr=1e-4, **options)
    return Case(optimizer.step, result=lambda: {"first": params[0], "last": params[-1]})


@workload("repeated_indices", per="step",
          cases={"atomic": {"sorted": False}, "deterministic": {"sorted": True}},
          quick={"rows": 50})  # fmt: skip
def repeated_indices(lib: Any, device: Any, *, sorted: bool, rows: int = 1_000) -> Case:
    """An embedding's gradient, and scatter_add: 2,000 indices into 1,000 rows of 32."""
    table = scattered(lib, device, rows, 32).requires_grad_()
    index = lib.arange(2_000, device=device) ** 2 % rows
    g = scattered(lib, device, 2_000, 32, start=3)
    columns = index.reshape(-1, 1).expand(-1, 32)
    total = None

    def step() -> None:
        nonlocal total
        lib.use_deterministic_algorithms(sorted)
        table.grad = None
        lib.nn.functional.embedding(index, table).backward(g)
        total = lib.zeros(rows, 32, device=device).scatter_add(0, columns, g)
        lib.use_deterministic_algorithms(False)

    return Case(step, result=lambda: {"table.grad": table.grad, "total": total})
