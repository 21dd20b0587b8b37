"""Rows for comparing, choosing, clamping, logic and bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._base import Row, S, complex_normal, normal
from .elementwise import INF, INTEGERS, NAN, SPECIAL, over, pairs

# The infinities keep the checks by difference quotients, which cannot see ties, away.
TIES = (np.array([1.0, 2.0, -3.0, 0.0, INF]), np.array([1.0, 2.5, -3.0, -1.0, 0.0]))
WITH_NAN = (np.array([1.0, NAN, NAN, 2.0]), np.array([NAN, 1.0, NAN, 2.0]))
C = complex_normal(2, 3)
BITS = np.array([[6, 5, -1], [0, 12, 7]])
FLAGS = np.array([True, False, True, False])
OTHER_FLAGS = np.array([True, True, False, False])
MASK = np.array([[True, False, True], [False, False, True]])
ALL = ("float32", "float16", "int64", "int32", "uint8", "bool")


def comparing(name: str, *more: Any) -> Row:
    samples = pairs(
        normal,
        TIES,
        WITH_NAN,
        (INTEGERS, 0),
        (INTEGERS, 0.5),
        (normal(3), 2),
        (INTEGERS, normal(3)),
        (FLAGS, OTHER_FLAGS),
        (np.array(1.5), INTEGERS),
        *more,
    )
    return Row(name, samples, grad=False, inplace=True, dtypes=ALL, node=None)


def asking(name: str, *more: Any, **options: Any) -> Row:
    options = {"out": False, "dtypes": ALL, **options}
    return Row(name, over(normal, SPECIAL, *more), grad=False, node=None, **options)


def logic(name: str) -> Row:
    samples = pairs(
        normal,
        TIES,
        (FLAGS, OTHER_FLAGS),
        (INTEGERS, INTEGERS[::-1].copy()),
        (FLAGS, np.array([0.0, 1.0, 2.0, 0.0])),
        (C, C.imag.copy()),
    )
    return Row(name, samples, grad=False, inplace=True, dtypes=ALL)


def bits(name: str) -> Row:
    def samples() -> list[Any]:
        return [
            S(BITS, BITS[::-1].copy()),
            S(BITS, 3),
            S(BITS, np.array([1, 2, 3])),
            S(FLAGS, OTHER_FLAGS),
            S(FLAGS, True),
            S(BITS, np.array(3)),
            S(BITS.astype(np.uint8), BITS.astype(np.int8)),
            S(BITS[:0], BITS[0]),
        ]

    return Row(name, samples, grad=False, inplace=True, dtypes=())


def shifts(name: str) -> Row:
    def samples() -> list[Any]:
        return [
            S(BITS, 2),
            S(BITS, np.array([0, 1, 63])),
            S(BITS, np.array([64, -1, 200])),
            S(-BITS, np.array([64, -1, 200])),
            S(BITS.astype(np.int8), np.array([7, 8, 1], np.int8)),
            S(BITS.astype(np.uint8), np.array([7, 8, 1], np.uint8)),
        ]

    return Row(name, samples, grad=False, inplace=True, dtypes=())


ROWS = [
    comparing("eq", (C, C)),
    comparing("ne", (C, C + 1)),
    comparing("not_equal"),
    comparing("lt"),
    comparing("less"),
    comparing("le"),
    comparing("less_equal"),
    comparing("gt"),
    comparing("greater"),
    comparing("ge"),
    comparing("greater_equal"),
    Row(
        "equal",
        lambda: [
            S(normal(3), normal(3)),
            S(normal(3), normal(4)),
            S(normal(3), -normal(3)),
            S(WITH_NAN[0], WITH_NAN[0]),
            S(normal(0, 2), normal(0, 2)),
            S(np.array(1.5), np.array(1.5)),
            S(INTEGERS, INTEGERS.astype(np.float64)),
        ],
        grad=False,
        out=False,
        dtypes=ALL,
    ),
    Row(
        "isclose",
        lambda: [
            S(normal(3, 4), normal(3, 4) * (1 + 1e-6)),
            S(normal(3), normal(3) + 0.1, atol=0.1),
            S(*WITH_NAN),
            S(*WITH_NAN, equal_nan=True),
            S(normal(2, 1), normal(2), 0.5),
            S(np.array([INF, INF]), np.array([INF, -INF])),
            S(normal(2), normal(2), 0, 0),
            S(np.array([1, 2, 10**6]), np.array([1, 3, 10**6 + 1])),
            S(C, C + 1e-9),
        ],
        grad=False,
        out=False,
        dtypes=("float32",),
    ),
    Row(
        "allclose",
        lambda: [
            S(normal(3, 4), normal(3, 4) * (1 + 1e-6)),
            S(normal(3), normal(3) + 0.1),
            S(*WITH_NAN, equal_nan=True),
            S(normal(0), normal(0)),
        ],
        grad=False,
        out=False,
        dtypes=("float32",),
    ),
    asking("isnan", C),
    asking("isinf", C),
    asking("isfinite", C),
    asking("isposinf", out=True),
    asking("isneginf", out=True),
    asking("isreal", C, C.real + 0j),
    asking("signbit", INTEGERS, out=True),
    asking("logical_not", C, INTEGERS, out=True, inplace=True),
    logic("logical_and"),
    logic("logical_or"),
    logic("logical_xor"),
    Row(
        "bitwise_not",
        lambda: [S(BITS), S(FLAGS), S(BITS.astype(np.uint8)), S(np.array(3))],
        grad=False,
        inplace=True,
        dtypes=(),
    ),
    bits("bitwise_and"),
    bits("bitwise_or"),
    bits("bitwise_xor"),
    shifts("bitwise_left_shift"),
    shifts("bitwise_right_shift"),
    Row(
        "where",
        lambda: [
            S(MASK, normal(2, 3), -normal(2, 3)),
            S(MASK[:, :1], normal(3), normal(2, 1)),
            S(MASK, normal(2, 3), 0.5),
            S(MASK, 2, normal(3)),
            S(MASK, np.array(1.5), normal(3)),
            S(np.array(True), normal(2), normal(2, 2)),
            S(MASK, C, C * 2),
            S(MASK, C, 1.5),
            S(MASK[:0], normal(0, 3), 1.0),
        ],
        method=False,
        node="WhereBackward0",
    ),
    Row(
        "where",
        lambda: [
            S(MASK, 1, 2),
            S(MASK, 1.0, 2),
            S(MASK, True, False),
            S(MASK, 1j, 2),
            S(MASK, C, normal(2, 3)),
        ],
        method=False,
        grad=False,
        out=False,
        dtypes=(),
    ),
    Row(
        "where",
        lambda: [S(MASK), S(FLAGS), S(MASK[:0])],
        method=False,
        grad=False,
        out=False,
        dtypes=(),
    ),
    Row(
        "maximum",
        pairs(normal, TIES, WITH_NAN, (FLAGS, OTHER_FLAGS)),
        node="MaximumBackward0",
        dtypes=ALL,
    ),
    Row(
        "minimum",
        pairs(normal, TIES, WITH_NAN, (FLAGS, OTHER_FLAGS)),
        node="MinimumBackward0",
        dtypes=ALL,
    ),
    Row("fmax", pairs(normal, TIES, WITH_NAN), node="FmaxBackward0", dtypes=ALL),
    Row("fmin", pairs(normal, TIES, WITH_NAN), node="FminBackward0", dtypes=ALL),
    Row(
        "heaviside",
        pairs(normal, (np.array([NAN, 0.0, -1.0, 1.0]), np.array([5.0, 6.0, 7.0, 8.0]))),
        grad=False,
        inplace=True,
        dtypes=ALL,
    ),
    Row(
        "clamp",
        lambda: [
            S(normal(3, 4), -0.5, 0.5),
            S(normal(3), 0),
            S(normal(3), None, 0.25),
            S(normal(2), max=1),
            S(np.array(1.5), min=0, max=1),
            S(TIES[0], -3.0, 1.0),
            S(normal(3), 2, 1),
            S(SPECIAL, -1, 1),
            S(normal(2), NAN),
            S(INTEGERS, -2, 3),
            S(INTEGERS, 0.5),
            S(normal(0, 2), 0, 1),
        ],
        inplace=True,
        node="ClampBackward1",
    ),
    Row(
        "clamp",
        lambda: [
            S(normal(3, 4), -np.abs(normal(4)) / 2, np.abs(normal(3, 1)) / 2),
            S(normal(3), np.array(0.1)),
            S(normal(3), max=np.array([0.1, -0.2, 0.3])),
            S(TIES[0], TIES[1]),
            S(*TIES, TIES[1] - 1),
            S(WITH_NAN[0], WITH_NAN[1]),
        ],
        inplace=True,
        node="ClampBackward0",
    ),
    Row("clip", lambda: [S(normal(3, 4), -0.5, 0.5)], inplace=True, node="ClampBackward1"),
    Row(
        "clamp_min",
        lambda: [S(normal(3, 4), 0.1), S(TIES[0], 1.0), S(INTEGERS, 0.5), S(SPECIAL, 0)],
        inplace=True,
        node="ClampMinBackward0",
    ),
    Row(
        "clamp_min",
        lambda: [S(normal(3, 4), normal(4) * 0.9), S(*TIES)],
        inplace=True,
        node="ClampMinBackward1",
    ),
    Row(
        "clamp_max",
        lambda: [S(normal(3, 4), 0.1), S(TIES[0], 1.0), S(INTEGERS, 0.5), S(SPECIAL, 0)],
        inplace=True,
        node="ClampMaxBackward0",
    ),
    Row(
        "clamp_max",
        lambda: [S(normal(3, 4), normal(4) * 0.9), S(*TIES)],
        inplace=True,
        node="ClampMaxBackward1",
    ),
]
