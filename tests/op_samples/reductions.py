"""Sums, products, extremes, truth, norms, variances, medians, quantiles."""

from __future__ import annotations

import numpy as np

from ._base import Row, S, Sample, complex_normal, normal

NAN, INF = float("nan"), float("inf")


def dims(keepdim: bool = True) -> list[Sample]:
    """All the ways to name dimensions that reductions over several of them take."""
    found = [
        S(normal(3, 4)),
        S(normal(3, 4), 0),
        S(normal(3, 4), -1),
        S(normal(2, 3, 4), (0, 2)),
        S(normal(2, 3, 4), (-1, 1)),
        S(np.array(0.7), 0),
        S(normal(1, 3), 0),
        S(normal(5), dim=[0]),
    ]
    if keepdim:
        found += [S(normal(3, 4), 1, True), S(normal(2, 3, 4), (0, -1), keepdim=True)]
    return found


def one_dim() -> list[Sample]:
    """The ways to name one dimension."""
    return [
        S(normal(3, 4), 0),
        S(normal(3, 4), -1),
        S(normal(2, 3, 4), 1, True),
        S(normal(2, 3, 4), dim=-3, keepdim=True),
        S(np.array(0.7), 0),
        S(normal(2, 0), 0),
    ]


def ties() -> np.ndarray:
    return np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 0.0], [3.0, 1.0, 3.0]])


def zeros_within() -> list[Sample]:
    one, two = normal(3, 4), normal(3, 4)
    one[1, 2] = 0
    two[0, 0] = two[0, 3] = two[2, 1] = 0
    return [one, two]


def integers() -> np.ndarray:
    return np.array([[1, 2, 0], [4, 5, 6]])


def sums() -> list[Sample]:
    return [
        *dims(),
        S(np.array(0.7)),
        S(normal(2, 0)),
        S(normal(2, 0), 1),
        S(normal(3, 4), ()),
        S(complex_normal(3, 4), 1),
        S(complex_normal(3, 4)),
    ]


def integer_sums() -> list[Sample]:
    return [S(integers()), S(integers(), 0), S(integers() > 1), S(integers() > 1, 1),
            S(integers().astype("uint8"), 1), S(integers().astype("int32"))]  # fmt: skip


def products() -> list[Sample]:
    return [
        S(normal(3, 4)),
        S(np.array(0.7)),
        *one_dim(),
        *[S(x) for x in zeros_within()],
        *[S(x, 1) for x in zeros_within()],
        *[S(x, 0, True) for x in zeros_within()],
        S(normal(2, 0)),
        S(normal(2, 0), 1),
        S(complex_normal(3, 2)),
        S(complex_normal(3, 2), 0),
    ]


def extremes() -> list[Sample]:
    return [S(normal(3, 4)), S(np.array(0.7)), S(ties()), *one_dim(), S(ties(), 1), S(ties(), 0)]


def with_nan() -> np.ndarray:
    x = normal(3, 4)
    x[0, 1] = x[0, 3] = x[2, 0] = NAN
    return x


def spreads() -> list[Sample]:
    return [
        *dims(keepdim=False)[:5],
        S(normal(5), dim=[0]),
        S(normal(3, 4), 1, keepdim=True),
        S(normal(3, 4), correction=0),
        S(normal(3, 4), 0, False),
        S(normal(3, 4), (0, 1), correction=2, keepdim=True),
        S(complex_normal(3, 4), 1),
    ]


def across_rows() -> list[Sample]:
    """What has no deviation of zero, where PyTorch's second derivative is NaN."""
    return [S(normal(3, 4)), S(normal(3, 4), 1), S(normal(2, 3, 4), (1, 2), correction=0),
            S(normal(3, 4), -1, keepdim=True), S(complex_normal(3, 4), 1)]  # fmt: skip


def norms_at_zero() -> list[Sample]:
    one = zeros_within()[0]
    return [*[S(one, p) for p in (0, 1, 1.5, 2.5)], S(np.zeros((2, 3)), 2, 0), S(np.zeros(3), 3)]


def norms() -> list[Sample]:
    return [
        S(normal(3, 4)),
        *[S(normal(3, 4), p) for p in (0, 1, 2, 3, 2.5, INF, -INF, -2)],
        S(zeros_within()[0], 2),
        S(ties(), INF, 1),
        *[S(normal(3, 4), p, 1) for p in (0.5, 1, 1.5, 2, 3, -1, INF)],
        S(normal(2, 3, 4), 2, (0, 2), True),
        S(normal(2, 3, 4), 3, (-1,), keepdim=True),
        S(np.array(0.7), 2),
        S(complex_normal(3, 4), 2),
        S(complex_normal(3, 4), 3, 0),
        S(complex_normal(3, 4), 1, 1),
        S(normal(2, 0), 2),
        S(normal(2, 0), 1, 1),
    ]  # fmt: skip


def refused_dims() -> list[Sample]:
    return [S(normal(3, 4), 2), S(normal(3, 4), (0, 0)), S(normal(3, 4), (0, -2)),
            S(normal(3, 4), -3), S(np.array(0.7), 1), S(normal(3, 4), "a"),
            S(normal(3, 4), 1.5)]  # fmt: skip


def refused_extremes() -> list[Sample]:
    return [S(normal(0, 3)), S(normal(0, 3), 0), S(complex_normal(2, 2)), S(normal(3, 4), 2)]


ROWS = [
    *[Row(name, refused_dims, grad=False, out=False, dtypes=("float32",))
      for name in ("sum", "mean", "amax", "var", "nansum", "count_nonzero", "logsumexp")],
    *[Row(name, refused_extremes, grad=False, out=False)
      for name in ("max", "min", "amax", "amin", "argmax", "argmin")],
    Row("max", lambda: [S(normal(3, 4), (0, 1))], grad=False, out=False),
    Row("argmax", lambda: [S(integers() > 1), S(normal(3, 4), (0, 1))], grad=False, out=False),
    *[Row(name, lambda: [S(integers()), S(integers() > 1, 0)], grad=False, out=False, method=False)
      for name in ("mean", "nanmean", "var", "std_mean", "norm", "linalg.vector_norm")],
    Row("aminmax", lambda: [S(normal(0, 3)), S(normal(0, 3), dim=0)], grad=False, out=False),
    Row("median", lambda: [S(normal(2, 0), 1), S(normal(2, 0), 0)], grad=False, out=False),
    Row("quantile", lambda: [S(normal(3), 1.5), S(normal(0), 0.5), S(integers(), 0.5),
                             S(normal(3), np.array([1.5]))], grad=False, out=False),
    Row("linalg.vector_norm", lambda: [S(normal(2, 0), INF), S(normal(2, 0), INF, 1),
                                       S(normal(2, 0), "fro")],
        grad=False, method=False, out=False),
    Row("sum", sums, node="SumBackward0"),
    Row("sum", integer_sums, grad=False, dtypes=()),
    Row("nansum", lambda: [*dims(), S(with_nan()), S(with_nan(), 1)]),
    Row("mean", sums, dtypes=("float32",), node="MeanBackward0"),
    Row("nanmean", lambda: [*dims(), S(with_nan()), S(with_nan(), 1)], dtypes=("float32",)),
    Row("prod", products, node="ProdBackward0"),
    Row("max", extremes, node="MaxBackward1"),
    Row("max", lambda: [S(normal(3, 4), normal(4) * 0.9), S(with_nan()[0], 0)], grad=False),
    Row("min", extremes, node="MinBackward1"),
    Row("min", lambda: [S(normal(3, 4), normal(4) * 0.9), S(with_nan(), 1)], grad=False),
    Row("amax", lambda: [*dims(), S(ties(), 1), S(ties())]),
    Row("amin", lambda: [*dims(), S(ties(), 1), S(ties())]),
    Row("amax", lambda: [S(with_nan(), 1), S(integers() > 3, 1)], grad=False, dtypes=()),
    Row("aminmax", lambda: [S(normal(3, 4)), S(ties(), dim=1), S(ties(), dim=-2, keepdim=True)]),
    Row("argmax", lambda: [S(normal(3, 4)), S(ties()), S(with_nan(), 1), *one_dim()], grad=False,
        dtypes=()),
    Row("argmin", lambda: [S(normal(3, 4)), S(ties()), S(with_nan(), 1), *one_dim()], grad=False,
        dtypes=()),
    Row("any", lambda: [*dims(), S(integers(), 1), S(integers() > 9), S(normal(3, 4), ())],
        grad=False, dtypes=("float32", "int64", "uint8", "bool")),
    Row("all", lambda: [*dims(), S(integers(), 1), S(integers() > 0), S(normal(3, 4), ())],
        grad=False, dtypes=("float32", "int64", "uint8", "bool")),
    Row("count_nonzero", lambda: [*dims(keepdim=False), S(integers()), S(zeros_within()[1], 0)],
        grad=False, out=False),
    Row("var", spreads, dtypes=("float32",), node="VarBackward0"),
    Row("std", spreads, second=False, dtypes=("float32",), node="StdBackward0"),
    Row("std", across_rows, dtypes=("float32",)),
    Row("var_mean", spreads, method=False, out=False, dtypes=("float32",), node="VarMeanBackward0"),
    Row("std_mean", spreads, second=False, method=False, out=False, dtypes=("float32",),
        node="StdMeanBackward0"),
    Row("std_mean", across_rows, method=False, out=False, dtypes=("float32",)),
    Row("norm", norms, dtypes=("float32",), node="LinalgVectorNormBackward0"),
    Row("norm", norms_at_zero, second=False, dtypes=("float32",)),
    Row("norm", lambda: [S(normal(3, 4), "fro"), S(normal(3, 4), None, 1),
                         S(normal(2, 3, 4), "fro", (0, 1))], dtypes=("float32",)),
    Row("linalg.vector_norm", norms, method=False, dtypes=("float32",),
        node="LinalgVectorNormBackward0"),
    Row("linalg.norm", lambda: [S(normal(3, 4)), S(normal(4), 3), S(normal(2, 3, 4), 1, 2),
                                S(normal(2, 3, 4)), S(normal(2, 3, 4), None, (0, 1), True)],
        method=False, dtypes=("float32",)),
    Row("median", lambda: [S(normal(3, 4)), S(normal(5)), *one_dim()], out=False,
        node="MedianBackward0"),
    Row("median", lambda: [S(with_nan()), S(with_nan(), 1), S(with_nan(), 0, True)], grad=False,
        out=False, dtypes=("float32",)),
    Row("nanmedian", lambda: [S(normal(3, 4)), S(with_nan()), S(with_nan(), 1), S(with_nan(), 0)],
        out=False, node="NanmedianBackward0"),
    Row("mode", lambda: [S(ties()), S(ties(), 0, True), S(np.array([2.0, 1.0, 2.0, 1.0])),
                         S(np.array(0.7))], out=False, node="ModeBackward0"),
    Row("quantile", lambda: [
        S(normal(3, 4), 0.3), S(normal(3, 4), 0.3, 1), S(normal(3, 4), 0.5, 0, True),
        S(normal(2, 3, 4), 0.7, keepdim=True), S(normal(5), 0.4, interpolation="lower"),
        S(normal(5), 0.4, interpolation="higher"), S(normal(5), 0.4, interpolation="nearest"),
        S(normal(5), 0.4, interpolation="midpoint"), S(np.array(0.7), 0.4),
    ], dtypes=("float32",)),
    Row("quantile", lambda: [
        S(normal(3, 4), np.array([0.2, 0.9]), 1), S(normal(3, 4), np.array([0.2, 0.9]), 0, True),
        S(with_nan(), 0.5, 1),
    ], grad=False, dtypes=("float32",)),
    Row("nanquantile", lambda: [S(with_nan(), 0.3), S(with_nan(), 0.6, 1)], dtypes=("float32",)),
]  # fmt: skip
