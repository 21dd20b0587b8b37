"""Rows for numbers by their parts, and whole numbers."""

from __future__ import annotations

import numpy as np

from ._base import Row, S, normal, positive

INTEGERS = np.array([[4, -6, 0], [12, 7, -9]])
OTHERS = np.array([6, 4, 0])

ROWS = [
    Row(
        "complex",
        lambda: [S(normal(2, 3), normal(3)), S(normal(), normal())],
        method=False, dtypes=("float32",), node="ComplexBackward0",
    ),
    Row(
        "polar",
        lambda: [S(positive(2, 3), normal(2, 3)), S(positive(3), normal(2, 1))],
        method=False, dtypes=("float32",), node="PolarBackward0",
    ),
    Row("frexp", lambda: [S(normal(2, 3)), S(np.array([0.0, -3.0, np.inf]))], grad=False,
        dtypes=("float32", "float16")),
    Row("frexp", lambda: [S(normal(2, 3) * 9)], second=False, dtypes=(), node="FrexpBackward0"),
    Row(
        "ldexp",
        lambda: [S(normal(2, 3), normal(3)), S(normal(3), OTHERS), S(INTEGERS, OTHERS)],
        inplace=True, dtypes=("float32",), node="LdexpBackward0",
    ),
    Row("gcd", lambda: [S(INTEGERS, OTHERS), S(INTEGERS, np.array(8))], grad=False, inplace=True,
        dtypes=("int32", "int8")),
    Row("lcm", lambda: [S(INTEGERS, OTHERS), S(INTEGERS, np.array(8))], grad=False, inplace=True,
        dtypes=("int32",)),
    Row(
        "isin",
        lambda: [
            S(INTEGERS, OTHERS),
            S(INTEGERS, 4),
            S(4, OTHERS),
            S(normal(3), OTHERS, invert=True),
            S(np.array([1.0, np.nan]), np.array([np.nan, 1.0]), assume_unique=True),
        ],
        grad=False, method=False, dtypes=("float32", "int32"),
    ),
]  # fmt: skip
