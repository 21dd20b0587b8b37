"""Activations, in nn.functional and elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._base import Row, S, Sample, complex_normal, normal
from ._nn import R, rows


def shapes(*args: Any, **kwargs: Any) -> Callable[[], list[Sample]]:
    return lambda: [
        S(normal(3, 4) * 4, *args, **kwargs), S(np.array(-0.7), *args, **kwargs),
        S(normal(2, 0), *args, **kwargs),
    ]  # fmt: skip


EXTREMES = np.array([-np.inf, -1000.0, -90.0, -30.0, -3.0, -1e-9, 0.0, 1e-9, 3.0, 30.0, 90.0,
                     1000.0, np.inf, np.nan])  # fmt: skip


def extremes(*args: Any, **kwargs: Any) -> Callable[[], list[Sample]]:
    """Arguments where a formula written down carelessly overflows, cancels or breaks."""
    return lambda: [S(EXTREMES, *args, **kwargs)]


def functional(
    name: str, *args: Any, wide: bool = True, tolerance: float = 1e-9, **kwargs: Any
) -> list[Row]:
    """Rows of an activation: shapes with derivatives, in place, large and small arguments."""
    full = f"nn.functional.{name}"
    rows = [
        Row(full, shapes(*args, **kwargs), method=False, out=False,
            dtypes=("float32", "float16"), tolerance=tolerance),
        Row(full, lambda: [S(np.arange(3) - 1, *args, **kwargs),
                           S(complex_normal(2, 2), *args, **kwargs)],
            grad=False, method=False, out=False),
    ]  # fmt: skip
    if wide:
        rows.append(
            Row(full, extremes(*args, **kwargs), grad=False, method=False, out=False,
                dtypes=("float32",))
        )  # fmt: skip
    return rows


ROWS = [
    *functional("relu", inplace=False), *functional("silu"), *functional("mish"),
    *functional("gelu", wide=False), *functional("gelu", wide=False, approximate="tanh"),
    *functional("logsigmoid"),
    *functional("softplus"), *functional("softplus", 2.0, 5.0), *functional("elu"),
    *functional("elu", 2.0), *functional("selu"), *functional("celu", 1.5),
    *functional("leaky_relu"), *functional("leaky_relu", 0.0), *functional("leaky_relu", -0.5),
    *functional("rrelu"), *functional("hardtanh"), *functional("hardtanh", -2, 3.5),
    *functional("relu6"), *functional("hardsigmoid", tolerance=1e-7), *functional("hardswish"),
    *functional("hardshrink"), *functional("softshrink", 1.0), *functional("threshold", 0.5, -7.0),
    *functional("tanhshrink"), *functional("softsign"), *functional("sigmoid", wide=False),
    *functional("tanh"),
    Row("nn.functional.silu", lambda: [S(complex_normal(2, 3))], method=False, out=False,
        dtypes=()),
    *rows("hardtanh", lambda: [R(normal(3), 1.0, -1.0)]),
    *rows("softshrink", lambda: [R(normal(3), -1.0)]),
    *rows("celu", lambda: [R(normal(3), 0.0)]),
    *rows("rrelu", lambda: [R(normal(3), 0.5, 0.1)]),
    # PyTorch multiplies minus infinity with zero; in float32 infinity, too.
    *rows("gelu", lambda: [S(EXTREMES[1:])], grad=False, dtypes=()),
    *rows("gelu", lambda: [S(EXTREMES[1:], approximate="tanh")], grad=False, dtypes=()),
    *rows("gelu", lambda: [R(normal(3), approximate="none of these")]),
    Row("selu", shapes(), method=False, out=False),
    Row("celu", shapes(2.0), method=False, out=False),
    Row("rrelu", shapes(0.1, 0.3), method=False, out=False),
    Row("threshold", shapes(0.5, 2.0), method=False, node="ThresholdBackward0"),
    Row("hardshrink", shapes(), node="HardshrinkBackward0", dtypes=("float32",)),
    Row("prelu", lambda: [S(normal(2, 3), np.array([0.25, -0.5, 2.0]))], out=False,
        dtypes=("float32",)),
    *rows("prelu", lambda: [
        S(normal(2, 3, 2), np.array([0.25])), S(normal(3), np.array([0.25])),
        S(normal(2, 3, 2), np.array([0.25, -0.5, 2.0])), S(normal(2, 3), np.array(0.25)),
        S(np.array(-0.7), np.array([0.25])), S(normal(0, 3), np.array([0.25, -0.5, 2.0])),
        R(normal(2, 3), normal(2)), R(normal(2, 3), normal(2, 3)), R(np.array(0.7), normal(3)),
        R(normal(2, 3), np.array([0.25], "float32")),
    ]),
    *rows("glu", lambda: [
        S(normal(3, 4)), S(normal(4, 3), 0), S(normal(2, 4, 3), -2), S(normal(2, 0)),
        R(normal(3, 3)), R(np.array(0.7)), R(normal(2, 4), 2),
    ]),
]  # fmt: skip
