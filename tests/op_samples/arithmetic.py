"""Rows for sums, products, quotients and powers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._base import Row, S, complex_normal, normal, positive
from .elementwise import INTEGERS, over, pairs

C = complex_normal(2, 3)
NONZERO = np.array([[3, -2, 4], [7, 1, -5]])
FLAGS = np.array([True, False, True])
REAL = ("float32", "float16", "int64", "int32")
EVERY = (*REAL, "bool")
SIGNED = np.array([7.0, -7.0, 7.0, -7.0]), np.array([3.0, 3.0, -3.0, -3.0])


def mixed(*more: Any) -> Any:
    """Samples whose operands differ in dtype or are numbers."""
    return pairs(
        normal,
        (C, C[::-1] + 1),
        (C, normal(3)),
        (INTEGERS, normal(3)),
        (INTEGERS, 2),
        (INTEGERS, 2.5),
        (normal(3), 2),
        (normal(2, 2), 1.5),
        (normal(2), 1j),
        (NONZERO, NONZERO[::-1].copy()),
        (np.array(1.5), INTEGERS),
        (normal(3), np.array(2)),
        *more,
    )


def away(*shape: int) -> np.ndarray:
    """Values none of which is near a multiple of another."""
    return normal(*shape) * 1.37


def quotients(*more: Any) -> Any:
    return pairs(away, (NONZERO, 2), (NONZERO, NONZERO[::-1].copy()), SIGNED, (SIGNED[0], 3), *more)


ROWS = [
    Row("add", mixed((FLAGS, FLAGS), (FLAGS, 2)), inplace=True, node="AddBackward0", dtypes=EVERY),
    Row(
        "add",
        lambda: [
            S(normal(3), normal(2, 1), alpha=2),
            S(normal(3), 1.5, alpha=-0.5),
            S(C, C, alpha=2j),
            S(INTEGERS, NONZERO, alpha=3),
        ],
        inplace=True,
        node="AddBackward0",
    ),
    Row("sub", mixed(), inplace=True, node="SubBackward0", dtypes=REAL),
    Row(
        "sub",
        lambda: [
            S(normal(3), normal(2, 1), alpha=2),
            S(normal(3), 1.5, alpha=-0.5),
            S(C, C, alpha=2j),
        ],
        inplace=True,
        node="SubBackward0",
    ),
    Row(
        "subtract",
        lambda: [S(normal(3), normal(2, 1)), S(normal(2, 3), normal(3))],
        inplace=True,
        node="SubBackward0",
    ),
    Row(
        "rsub",
        lambda: [S(normal(3), 1.5), S(normal(3), 2, alpha=3), S(C, 1)],
        method=False,
        out=False,
        node="RsubBackward1",
    ),
    Row("mul", mixed((FLAGS, FLAGS), (FLAGS, 2)), inplace=True, node="MulBackward0", dtypes=EVERY),
    Row(
        "multiply",
        lambda: [S(normal(3), normal(2, 1)), S(normal(2, 3), normal(3))],
        inplace=True,
        node="MulBackward0",
    ),
    Row(
        "div",
        pairs(
            normal,
            (C, C[::-1] + 1),
            (C, normal(3)),
            (INTEGERS, normal(3)),
            (INTEGERS, 2),
            (normal(3), 2),
            (normal(2), 1j),
            (NONZERO, NONZERO[::-1].copy()),
            (np.array([1.0, -1.0, 0.0]), np.array([0.0, 0.0, 0.0])),
        ),
        inplace=True,
        node="DivBackward0",
        dtypes=("float32", "float16"),
    ),
    Row(
        "div",
        lambda: [S(*s.args, rounding_mode=m) for m in ("floor", "trunc") for s in quotients()()],
        inplace=True,
        node="DivBackward1",
        dtypes=("float32",),
    ),
    Row(
        "divide",
        lambda: [S(normal(3), normal(2, 1)), S(normal(2, 3), normal(3))],
        inplace=True,
        node="DivBackward0",
        dtypes=("float32",),
    ),
    Row(
        "true_divide",
        lambda: [S(normal(3), normal(2, 1)), S(normal(2, 3), normal(3)), S(INTEGERS, 2)],
        inplace=True,
        node="DivBackward0",
        dtypes=("float32",),
    ),
    Row("floor_divide", quotients(), grad=False, inplace=True, dtypes=("float32",)),
    Row("remainder", quotients(), inplace=True, node="RemainderBackward0", dtypes=("float32",)),
    Row("fmod", quotients(), inplace=True, node="FmodBackward0", dtypes=("float32",)),
    Row("neg", over(normal, C, INTEGERS), inplace=True, node="NegBackward0", dtypes=REAL),
    Row("negative", over(normal), inplace=True, node="NegBackward0", dtypes=REAL),
    Row(
        "reciprocal",
        over(normal, C, np.array([0.0, -0.0])),
        inplace=True,
        node="ReciprocalBackward0",
        dtypes=("float32", "float16", "complex64"),
    ),
    Row(
        "pow",
        lambda: (
            [
                S(x, p)
                for p in (2, 3, 1, 0, -1, 0.5, 2.5, -2)
                for x in (positive(2, 3), np.array(positive()))
            ]
            + [S(normal(3), p) for p in (2, 3, 0, -3)]
            + [S(np.array([0.0, 1.0]), p) for p in (0, 1, 2, 3, 0.5)]
            + [S(C, 2), S(C, 2.5), S(C, 1 + 1j), S(normal(0, 2), 2)]
        ),
        inplace=True,
        node="PowBackward0",
        dtypes=("float32",),
    ),
    Row(
        "pow",
        lambda: [S(INTEGERS, 2), S(INTEGERS, 0), S(INTEGERS, 2.0), S(FLAGS, 2), S(NONZERO, -1.5)],
        grad=False,
        dtypes=(),
    ),
    Row(
        "pow",
        lambda: [
            S(positive(3, 4), normal(4)),
            S(positive(3, 1), normal(3)),
            S(positive(2), np.array(2.0)),
            S(np.array([0.0, 0.0, 2.0, 1.0]), np.array([0.0, 2.0, 0.0, -1.0])),
            S(C, C),
            S(NONZERO, positive(2, 3)),
            S(positive(3), NONZERO[0]),
            S(positive(0, 2), normal(2)),
        ],
        inplace=True,
        node="PowBackward1",
        dtypes=("float32",),
        tolerance=1e-8,
    ),
    Row(
        "pow",
        lambda: [
            S(NONZERO, np.array([2, 0, -1])),
            S(np.array([2, 1, -1, -1]), np.array([-1, -2, -3, -2])),
        ],
        grad=False,
        inplace=True,
        dtypes=(),
    ),
    Row(
        "pow",
        lambda: [
            S(2, normal(3)),
            S(0.5, normal(2, 2)),
            S(0, np.array([0.0, 1.0, 2.0])),
            S(1j, normal(3)),
            S(2, C),
        ],
        method=False,
        node="PowBackward2",
        dtypes=("float32",),
    ),
]
