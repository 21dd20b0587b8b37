"""What works on the rows of a matrix: softmax, log-sum-exp, layer norm; forward and backward."""

from __future__ import annotations

from typing import Any

from bench.registry import Case, workload
from bench.workloads.images import scattered

SIZE = {"rows": 4096, "columns": 1024}
QUICK = {"rows": 64, "columns": 32}


def _gradient(lib: Any, device: Any, *shape: int) -> Any:
    """A gradient to begin with that is no constant: the gradient of one would vanish."""
    return scattered(lib, device, *shape, start=3)


def _scattered(xp: Any, *shape: int, start: int = 0) -> Any:
    """`scattered` of NumPy or CuPy."""
    numbers = xp.arange(start, start + int(xp.prod(xp.asarray(shape))))
    numbers = numbers * numbers * 7919 % 1_000_003
    return ((numbers - 500_001).astype(xp.float32) / xp.float32(500_001)).reshape(shape)


@workload("softmax", per="step", quick=QUICK, cases={"4096x1024": SIZE})
def softmax(lib: Any, device: Any, *, rows: int, columns: int) -> Case:
    """The softmax of each row, and its derivative."""
    x = scattered(lib, device, rows, columns, scale=4.0).requires_grad_()
    g = _gradient(lib, device, rows, columns)
    out = None

    def step() -> None:
        nonlocal out
        x.grad = None
        out = lib.nn.functional.softmax(x, dim=1)
        out.backward(g)

    return Case(step, result=lambda: {"out": out, "x.grad": x.grad})


@softmax.hand
def softmax_hand(xp: Any, *, rows: int, columns: int) -> Case:
    """Shifted exponentials over their sum; s (g - sum(g s))."""
    x = _scattered(xp, rows, columns) * xp.float32(4)
    g = _scattered(xp, rows, columns, start=3)
    result: dict[str, Any] = {}

    def step() -> None:
        s = x - x.max(axis=1, keepdims=True)
        xp.exp(s, out=s)
        s /= s.sum(axis=1, keepdims=True)
        grad = g - (g * s).sum(axis=1, keepdims=True)
        grad *= s
        result.update({"out": s, "x.grad": grad})

    return Case(step, result=lambda: result)


@workload("logsumexp", per="step", quick=QUICK, cases={"4096x1024": SIZE})
def logsumexp(lib: Any, device: Any, *, rows: int, columns: int) -> Case:
    """The logarithm of the sum of each row's exponentials, and its derivative."""
    x = scattered(lib, device, rows, columns, scale=4.0).requires_grad_()
    g = _gradient(lib, device, rows)
    out = None

    def step() -> None:
        nonlocal out
        x.grad = None
        out = lib.logsumexp(x, dim=1)
        out.backward(g)

    return Case(step, result=lambda: {"out": out, "x.grad": x.grad})


@logsumexp.hand
def logsumexp_hand(xp: Any, *, rows: int, columns: int) -> Case:
    """The exponentials are kept; divided by their sum they are the derivative."""
    x = _scattered(xp, rows, columns) * xp.float32(4)
    g = _scattered(xp, rows, start=3)
    result: dict[str, Any] = {}

    def step() -> None:
        top = x.max(axis=1, keepdims=True)
        e = x - top
        xp.exp(e, out=e)
        total = e.sum(axis=1, keepdims=True)
        out = (xp.log(total) + top)[:, 0]
        e *= g[:, None] / total
        result.update({"out": out, "x.grad": e})

    return Case(step, result=lambda: result)


@workload("layer_norm", per="step", quick=QUICK, cases={"4096x1024": SIZE}, rtol=1e-3)
def layer_norm(lib: Any, device: Any, *, rows: int, columns: int) -> Case:
    """Layer normalisation of each row with scale and shift, and all three gradients."""
    x = scattered(lib, device, rows, columns, scale=4.0).requires_grad_()
    weight = lib.linspace(0.5, 1.5, columns, device=device, requires_grad=True)
    bias = lib.linspace(-1.0, 1.0, columns, device=device, requires_grad=True)
    g = _gradient(lib, device, rows, columns)
    out = None

    def step() -> None:
        nonlocal out
        x.grad = weight.grad = bias.grad = None
        out = lib.nn.functional.layer_norm(x, (columns,), weight, bias)
        out.backward(g)

    return Case(
        step,
        result=lambda: {
            "out": out, "x.grad": x.grad, "weight.grad": weight.grad, "bias.grad": bias.grad,
        },
    )  # fmt: skip


@layer_norm.hand
def layer_norm_hand(xp: Any, *, rows: int, columns: int) -> Case:
    """By the means of g and of g times the normalised rows."""
    x = _scattered(xp, rows, columns) * xp.float32(4)
    weight = xp.linspace(0.5, 1.5, columns, dtype=xp.float32)
    bias = xp.linspace(-1.0, 1.0, columns, dtype=xp.float32)
    g = _scattered(xp, rows, columns, start=3)
    result: dict[str, Any] = {}

    def step() -> None:
        unit = x - x.mean(axis=1, keepdims=True)
        r = 1 / xp.sqrt((unit * unit).mean(axis=1, keepdims=True) + xp.float32(1e-5))
        unit *= r
        out = unit * weight
        out += bias
        h = g * weight
        grad = h - h.mean(axis=1, keepdims=True)
        grad -= unit * (h * unit).mean(axis=1, keepdims=True)
        grad *= r
        result.update({"out": out, "x.grad": grad, "weight.grad": (g * unit).sum(axis=0),
                       "bias.grad": g.sum(axis=0)})  # fmt: skip

    return Case(step, result=lambda: result)
