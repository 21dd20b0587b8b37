"""Running sums, products, extremes; differences."""

from __future__ import annotations

import numpy as np

from ._base import Row, S, Sample, complex_normal, normal
from .reductions import ties, with_nan, zeros_within


def along() -> list[Sample]:
    return [S(normal(3, 4), 0), S(normal(3, 4), -1), S(normal(2, 3, 4), 1), S(np.array(0.7), 0),
            S(normal(2, 0), 1), S(normal(5), dim=0), S(normal(1), 0)]  # fmt: skip


def with_minus_infinity() -> np.ndarray:
    x = normal(3, 4)
    x[1, 1] = x[2, 3] = -np.inf
    return x


ROWS = [
    Row("cumsum", lambda: [S(normal(3), 1), S(normal(3), -2), S(normal(3), 1.5)], grad=False,
        out=False),
    Row("cummax", lambda: [S(complex_normal(2, 2), 0)], grad=False, out=False),
    Row("diff", lambda: [S(np.array(0.7)), S(normal(3), -1),
                         S(normal(3, 3), prepend=normal(3))], grad=False, out=False),
    Row("cumsum", lambda: [*along(), S(complex_normal(3, 4), 0)], inplace=True,
        node="CumsumBackward0"),
    Row("cumsum", lambda: [S(np.arange(6).reshape(2, 3) > 1, 1), S(np.arange(6, dtype="int32"), 0),
                           S(np.arange(6, dtype="uint8"), 0)], grad=False, dtypes=()),
    Row("cumprod", lambda: [*along(), *[S(x, d) for x in zeros_within() for d in (0, 1)],
                            S(complex_normal(3, 4), 1)], inplace=True, node="CumprodBackward0"),
    Row("cummax", lambda: [*along(), S(ties(), 0), S(ties(), 1)], node="CummaxBackward0"),
    Row("cummin", lambda: [*along(), S(ties(), 0), S(ties(), 1)], node="CumminBackward0"),
    Row("cummax", lambda: [S(with_nan(), 1), S(ties() > 1, 1)], grad=False, dtypes=()),
    Row("cummin", lambda: [S(with_nan(), 1), S(ties() > 1, 1)], grad=False, dtypes=()),
    Row("logcumsumexp", lambda: [*along(), S(normal(3, 4) * 300, 1)], dtypes=("float32",),
        node="LogcumsumexpBackward0"),
    Row("logcumsumexp", lambda: [S(with_minus_infinity(), 1)], second=False, dtypes=("float32",)),
    Row("diff", lambda: [S(normal(3, 4)), S(normal(3, 4), 2), S(normal(3, 4), 1, 0),
                         S(normal(3, 2), 3), S(normal(2, 0)),
                         S(normal(3, 4), prepend=normal(3, 1), append=normal(3, 2))],
        node="SubBackward0"),
    Row("diff", lambda: [S(ties() > 1), S(ties() > 1, 2, 0), S(normal(3, 4), 0)],
        grad=False, dtypes=()),
]  # fmt: skip
