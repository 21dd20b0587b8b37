"""Rows for exponentials, roots, signs, rounding, weighted sums, and trigonometry."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._base import Row, S, Sample, complex_normal, normal, positive, unit

INF, NAN = float("inf"), float("nan")
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, 1e-30, 80.0, -80.0])
INTEGERS = np.array([[3, -2, 0], [7, 1, -5]])


def over(make: Any, *more: Any) -> Any:
    """Samples of a function of one tensor: a matrix, 0-dim, zero-size, and ``more``."""

    def samples() -> list[Sample]:
        return [
            S(make(3, 4)),
            S(np.array(make())),
            S(make(0, 2)),
            S(make(2, 1, 3)),
            *[S(x) for x in more],
        ]

    return samples


def pairs(make: Any, *more: Any) -> Any:
    """Samples of a function of two tensors: the same shape, broadcast, 0-dim, zero-size."""

    def samples() -> list[Sample]:
        flipped = make(3, 4)[::-1, ::-1].copy()
        return [
            S(make(3, 4), flipped),
            S(make(3, 1), flipped[0]),
            S(make(3), make(2, 1)[1:] + 0.0),
            S(make(2, 3), np.array(0.75)),
            S(make(0, 2), make(2)),
            *[S(*m) for m in more],
        ]

    return samples


def small(*shape: int) -> np.ndarray:
    return unit(*shape) * 0.9


def above_one(*shape: int) -> np.ndarray:
    return positive(*shape) + 1.05


def between(*shape: int) -> np.ndarray:
    """Values between 0 and 1."""
    return np.abs(unit(*shape)) * 0.9 + 0.02


def halves(*shape: int) -> np.ndarray:
    return np.round(normal(*shape) * 4) / 2 + 0.25


FLOATS = ("float32", "float16", "int64", "int32", "bool")
REAL = ("float32", "int64", "bool")

C = complex_normal(2, 3)


def unary(name: str, samples: Any, **options: Any) -> Row:
    node = "".join(part.capitalize() for part in name.split("_")) + "Backward0"
    return Row(name, samples, **{"inplace": True, "node": node, "dtypes": FLOATS, **options})


ROWS = [
    unary("exp", over(normal, C, SPECIAL)),
    unary("exp2", over(normal, C, SPECIAL)),
    unary("expm1", over(normal, C, SPECIAL)),
    unary("log", over(positive, C, SPECIAL)),
    unary("log2", over(positive, C, SPECIAL)),
    unary("log10", over(positive, C, SPECIAL)),
    unary("log1p", over(positive, C, SPECIAL), node="Log1PBackward0"),
    Row(
        "logaddexp",
        pairs(
            normal,
            (C, C[::-1].copy()),
            (np.array([900.0, -900.0, INF, -INF]), np.array([900.0, -901.0, 1.0, 1.0])),
        ),
        node="LogaddexpBackward0",
        dtypes=("float32",),
    ),
    Row("logaddexp2", pairs(normal), node="Logaddexp2Backward0", dtypes=("float32",)),
    Row(
        "logaddexp2",
        lambda: [S(normal(3), normal(3)), S(np.array([900.0, -900.0]), np.array([900.0, -901.0]))],
        second=False,
        node="Logaddexp2Backward0",
    ),
    Row(
        "xlogy",
        pairs(
            positive,
            (np.array([0.0, 0.0, 2.0]), np.array([0.0, 3.0, 4.0])),
            (np.array([0.0, 0.0]), np.array([NAN, -1.0])),
        ),
        inplace=True,
        node="XlogyBackward0",
        dtypes=REAL,
    ),
    Row(
        "xlogy",
        lambda: [S(positive(3), 2.5), S(positive(2, 3), 2), S(np.array([0.0, 1.0]), 3.0)],
        inplace=True,
        node="XlogyBackward2",
        dtypes=REAL,
    ),
    Row(
        "xlogy",
        lambda: [S(2.5, positive(3)), S(0, np.array([2.0, 1.0]))],
        method=False,
        node="XlogyBackward1",
        dtypes=REAL,
    ),
    unary("sqrt", over(positive, C, SPECIAL[:4])),
    unary("rsqrt", over(positive, C, SPECIAL)),
    unary("square", over(normal, C, SPECIAL), node="PowBackward0"),
    Row(
        "float_power",
        lambda: [S(positive(3, 4), normal(4)), S(positive(2), np.array(2.0))],
        inplace=True,
        node="PowBackward1",
        dtypes=("float32", "int64"),
        tolerance=1e-8,
    ),
    Row(
        "float_power",
        lambda: [S(positive(3), 2), S(positive(3), -0.5), S(C, 2)],
        inplace=True,
        node="PowBackward0",
        dtypes=("float32", "int64"),
    ),
    Row(
        "float_power",
        lambda: [S(2, normal(3)), S(1.5, normal(2, 2))],
        method=False,
        node="PowBackward2",
        dtypes=("float32", "int64"),
    ),
    unary("sigmoid", over(normal, C, SPECIAL, np.array([40.0, -40.0]))),
    unary(
        "logit",
        lambda: [
            S(between(3, 4)),
            S(between(2), 0.2),
            S(between(2), eps=1e-6),
            S(np.array([-0.5, 0.0, 1.0, 1.5])),
            S(np.array([-0.5, 1.5]), 0.1),
        ],
        dtypes=("float32",),
    ),
    unary("relu", over(normal, SPECIAL), dtypes=("float32", "float16", "int64", "uint8")),
    unary("erf", over(normal, SPECIAL), dtypes=("float32", "float16", "int64")),
    unary(
        "erfc",
        over(normal, SPECIAL, np.array([5.0, 10.0, 20.0, -5.0])),
        dtypes=("float32", "int64"),
    ),
    unary(
        "abs", over(normal, C, SPECIAL, INTEGERS), dtypes=("float32", "float16", "int64", "uint8")
    ),
    unary("absolute", over(normal), node="AbsBackward0"),
    unary(
        "sign", over(normal, SPECIAL, INTEGERS), second=False, dtypes=("float32", "int64", "bool")
    ),
    unary("sgn", over(normal, C), dtypes=("float32", "int64", "bool")),
    unary("sgn", over(normal, SPECIAL[:6], np.array([0j, 3 + 4j])), grad=False),
    Row("copysign", pairs(normal), inplace=True, node="CopysignBackward0", dtypes=REAL),
    Row(
        "copysign",
        lambda: [
            S(normal(3), normal(3)),
            S(np.array([1.0, -2.0, 0.0]), np.array([-0.0, 3.0, -1.0])),
        ],
        second=False,
        inplace=True,
        node="CopysignBackward0",
    ),
    Row(
        "copysign",
        lambda: [S(normal(3), -1.0), S(normal(2, 2), 0.0), S(normal(2), -2)],
        inplace=True,
        node="CopysignBackward1",
        dtypes=REAL,
    ),
    Row("positive", over(normal, C, INTEGERS), grad=False, out=False, dtypes=("float32", "int64")),
    Row(
        "conj_physical",
        lambda: [S(C), S(C[:0]), S(C[0, 0:1])],
        inplace=True,
        node="ConjPhysicalBackward0",
        dtypes=("complex64",),
    ),
    Row(
        "conj",
        lambda: [S(C), S(C[:0]), S(C[0, 0:1])],
        out=False,
        node="ConjBackward0",
        dtypes=("complex64",),
    ),
    Row("angle", over(normal, C, SPECIAL), node="AngleBackward0", dtypes=FLOATS),
    Row(
        "lerp",
        lambda: [
            S(normal(3, 4), normal(4), 0.3),
            S(normal(3), normal(3), 1),
            S(normal(2, 1), normal(3), 0.75),
            S(C, C[::-1].copy(), 0.25),
        ],
        inplace=True,
        node="LerpBackward0",
        dtypes=("float32",),
    ),
    Row(
        "lerp",
        lambda: [
            S(normal(3, 4), normal(4), positive(3, 1)),
            S(normal(3), normal(3), np.array(0.25)),
        ],
        inplace=True,
        node="LerpBackward1",
        dtypes=("float32",),
    ),
    Row(
        "addcmul",
        lambda: [
            S(normal(3, 4), normal(4), normal(3, 1)),
            S(C, C, C, value=2),
            S(normal(2), normal(2), normal(2), value=-0.5),
            S(INTEGERS, INTEGERS, INTEGERS, value=3),
        ],
        inplace=True,
        node="AddcmulBackward0",
    ),
    Row(
        "addcdiv",
        lambda: [
            S(normal(3, 4), normal(4), normal(3, 1)),
            S(C, C, C + 1, value=2),
            S(normal(2), normal(2), normal(2), value=-0.5),
        ],
        inplace=True,
        node="AddcdivBackward0",
        dtypes=("float32",),
    ),
    unary("ceil", over(halves, INTEGERS), second=False, dtypes=("float32", "int64")),
    unary("floor", over(halves, INTEGERS), second=False, dtypes=("float32", "int64")),
    unary("trunc", over(halves, INTEGERS), second=False, dtypes=("float32", "int64")),
    unary("fix", over(halves), node="TruncBackward0", second=False, dtypes=("float32", "int64")),
    unary(
        "round",
        over(halves, np.array([0.5, 1.5, 2.5, -0.5]), INTEGERS),
        second=False,
        dtypes=("float32", "int64"),
    ),
    Row(
        "round",
        lambda: [S(normal(3, 4), decimals=2), S(normal(2) * 100, decimals=-1)],
        second=False,
        inplace=True,
        node="RoundBackward1",
        dtypes=("float32",),
    ),
    unary("frac", over(halves), dtypes=("float32",)),
    unary(
        "nan_to_num",
        lambda: [
            S(SPECIAL),
            S(SPECIAL, 1.0),
            S(SPECIAL, nan=1.0, posinf=2.0, neginf=-3.0),
            S(normal(2, 3)),
        ],
        node="NanToNumBackward0",
        dtypes=("float32", "int64", "bool"),
    ),
    Row(
        "nan_to_num",
        lambda: [S(np.array([complex(NAN, 1), complex(1, INF), 1j]))],
        grad=False,
        inplace=True,
        dtypes=("complex64",),
    ),  # PyTorch has no derivative of it
    unary("sin", over(normal, C, SPECIAL)),
    unary("cos", over(normal, C, SPECIAL)),
    unary("tan", over(normal, C, SPECIAL[:4])),
    unary("sinc", over(normal, C), dtypes=("float32",)),
    unary("sinc", lambda: [S(np.array([0.0, 1.0, 2.0, -0.0]))], second=False, dtypes=("float32",)),
    unary("asin", over(small, C, np.array([1.0, -1.0, 2.0]))),
    unary("arcsin", over(small), node="AsinBackward0"),
    unary("acos", over(small, C, np.array([1.0, -1.0, 2.0]))),
    unary("arccos", over(small), node="AcosBackward0"),
    unary("atan", over(normal, C, SPECIAL)),
    unary("arctan", over(normal), node="AtanBackward0"),
    Row("atan2", pairs(normal), inplace=True, node="Atan2Backward0", dtypes=REAL),
    Row(
        "atan2",
        lambda: [
            S(normal(3), normal(3)),
            S(np.array([0.0, -0.0, 1.0, 0.0]), np.array([-1.0, -1.0, 0.0, 0.0])),
        ],
        second=False,
        inplace=True,
        node="Atan2Backward0",
    ),
    Row("arctan2", pairs(normal), inplace=True, node="Atan2Backward0", dtypes=REAL),
    Row(
        "hypot",
        pairs(normal, (np.array([1e200, 0.0]), np.array([1e200, 3.0]))),
        inplace=True,
        node="HypotBackward0",
        dtypes=("float32",),
    ),
    unary("deg2rad", over(normal), node="Deg2RadBackward0", dtypes=REAL),
    unary("rad2deg", over(normal), node="Rad2DegBackward0", dtypes=REAL),
    unary("sinh", over(normal, C, SPECIAL)),
    unary("cosh", over(normal, C, SPECIAL)),
    unary("tanh", over(normal, C, SPECIAL)),
    unary("asinh", over(normal, C, np.array([0.0, INF, -INF]))),
    unary("arcsinh", over(normal), node="AsinhBackward0"),
    unary("acosh", over(above_one, C + 2, np.array([0.5, 1.0])), dtypes=("float32", "complex128")),
    unary("arccosh", over(above_one), node="AcoshBackward0", dtypes=("float32",)),
    unary("atanh", over(small, C, np.array([2.0, 1.0])), dtypes=("float32", "complex128")),
    unary("arctanh", over(small), node="AtanhBackward0", dtypes=("float32",)),
]
