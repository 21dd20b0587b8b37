"""Arithmetic once more: all the ways in which two operands can meet."""

from __future__ import annotations

import numpy as np

from ._base import Row, S, Sample, complex_normal, normal, positive

__all__ = ["ROWS"]

ALL = ("float16", "float32", "int8", "uint8", "int32", "int64", "bool")
NUMBERS = ("float16", "float32", "int64")


def pairs() -> list[Sample]:
    """Operands of all the ways in which shapes can meet."""
    return [
        S(normal(2, 3), normal(2, 3)[::-1] * 1.5),
        S(normal(2, 3), normal(3)),
        S(normal(3, 1), normal(1, 4)),
        S(normal(4), normal(2, 1, 4)),
        S(np.array(1.5), normal(2, 2)),
        S(normal(2, 2), np.array(-0.7)),
        S(np.array(1.5), np.array(0.3)),
        S(normal(0, 3), normal(3)),
        S(normal(0), normal(1)),
        S(normal(2, 3), 2),
        S(normal(2, 3), 2.5),
        S(np.array(1.5), 3),
        S(normal(2, 3), np.arange(1, 4)),
        S(np.array([1.0, -0.0, np.inf, -np.inf, np.nan]), np.array([2.0, 1.0, 3.0, np.inf, 1.0])),
    ]


def complex_pairs() -> list[Sample]:
    return [
        S(complex_normal(2, 3), complex_normal(3) * 1j),
        S(complex_normal(2, 3), normal(3)),
        S(normal(2, 1), complex_normal(3)),
        S(complex_normal(3), 2.0 + 1j),
    ]


def with_alpha() -> list[Sample]:
    return [
        *pairs(),
        *complex_pairs(),
        S(normal(2, 3), normal(3), alpha=2),
        S(normal(2, 3), normal(2, 1), alpha=-0.5),
        S(complex_normal(3), complex_normal(3), alpha=2j),
        S(np.arange(3), np.arange(3), alpha=2),
    ]


def modulo() -> list[Sample]:
    # Off the jumps, where quotients are integers.
    return [
        S(normal(2, 3) * 3.7, positive(3) + 0.13),
        S(normal(2, 3) * 3.7, -positive(2, 1) - 0.13),
        S(normal(3, 1) * 3.1, positive(4) + 0.17),
        S(np.array(5.3), np.array(2.0)),
        S(normal(2, 3) * 5, 0.7),
        S(normal(2, 3) * 5, -0.7),
        S(normal(0, 3), positive(3)),
        S(np.array([7, -7, 7, -7]), np.array([3, 3, -3, -3])),
        S(np.array([7, -7]), 3),
        S(np.array([1.0, -1.0, 0.0, np.inf, np.nan]), np.array([0.0, np.inf, 3.0, 2.0, 1.0])),
    ]


def divisions() -> list[Sample]:
    return [
        *pairs(),
        *complex_pairs(),
        S(np.array([1, -7, 0]), np.array([2, 2, 5])),
        S(np.array([1.0, -1.0, 0.0]), np.array([0.0, 0.0, 0.0])),
    ]


def rounded_divisions() -> list[Sample]:
    # In half precision the quotients come too near to whole numbers.
    return [
        S(*sample.args, rounding_mode=mode) for sample in modulo() for mode in ("floor", "trunc")
    ]


def powers() -> list[Sample]:
    return [
        S(positive(2, 3), normal(2, 3)),
        S(positive(2, 3), normal(3)),
        S(positive(3, 1), normal(1, 4)),
        S(positive(3), np.array(2.0)),
        S(np.array(1.5), normal(2, 2)),
        *(S(normal(2, 3), n) for n in (0, 1, 2, 3, 4, -1, -2)),
        *(S(positive(2, 3), n) for n in (0.5, 1.5, -0.5, 2.0)),
        S(positive(0, 3), 2.5),
        S(np.arange(4), 2),
        S(np.arange(1, 4), 2.5),
        S(np.arange(4), np.arange(4)),
        S(complex_normal(3), 2),
        S(complex_normal(3), 1.5),
        S(complex_normal(3), complex_normal(3)),
        S(complex_normal(3), -1),
        S(np.array([0.0, 0.0, 0.0]), np.array([0.0, 1.0, 2.0])),
        S(np.array([0.0, -1.0]), 2),
        S(np.array([0.0, -1.0]), 0),
        S(np.array([0.0, 1.0]), 0.5),
        S(np.array([-2.0, 2.0]), np.array([2.0, 3.0])),
        S(np.array([0.0, 0.0, 2.0, 1.0]), np.array([0.0, 2.0, 0.0, -1.0])),
        S(np.array([[3, -2, 4], [7, 1, -5]]), positive(2, 3)),
        S(positive(3), np.array([3, -2, 4])),
        S(positive(2, 3), 1 + 1j),
        S(complex_normal(3), 1 + 1j),
        S(np.arange(1, 4), -1.5),
        S(np.array([True, False]), 2),
        S(np.array([2, 1, -1, -1]), np.array([-1, -2, -3, -2])),
        S(np.array([3, -2, 4]), np.array([2, 0, -1])),
    ]


def one_operand() -> list[Sample]:
    return [
        S(normal(2, 3)),
        S(np.array(1.5)),
        S(normal(0, 3)),
        S(normal(5)),
        S(complex_normal(2, 3)),
        S(np.array([0.0, -0.0, np.inf, -np.inf, np.nan])),
    ]


ROWS = [
    Row("add", with_alpha, inplace=True, dtypes=ALL, node="AddBackward0"),
    Row("sub", with_alpha, inplace=True, dtypes=ALL, node="SubBackward0"),
    Row("subtract", with_alpha, inplace=True),
    Row("rsub", with_alpha, node="RsubBackward1"),
    Row(
        "mul",
        lambda: [*pairs(), *complex_pairs()],
        inplace=True,
        dtypes=ALL,
        node="MulBackward0",
    ),
    Row("multiply", pairs, inplace=True),
    Row("div", divisions, inplace=True, dtypes=ALL, node="DivBackward0"),
    Row("div", rounded_divisions, second=False, inplace=True, node="DivBackward2"),
    Row("divide", divisions, inplace=True),
    Row("true_divide", pairs, inplace=True),
    Row("floor_divide", modulo, grad=False, inplace=True, dtypes=("float32", "int32", "int64")),
    Row("remainder", modulo, inplace=True, dtypes=NUMBERS, node="RemainderBackward1"),
    Row("fmod", modulo, inplace=True, dtypes=NUMBERS, node="FmodBackward1"),
    Row("neg", one_operand, inplace=True, dtypes=ALL, node="NegBackward0"),
    Row("negative", one_operand, inplace=True),
    Row("reciprocal", one_operand, inplace=True, dtypes=ALL, node="ReciprocalBackward0"),
    Row("pow", powers, inplace=True, dtypes=NUMBERS, node="PowBackward0"),
    Row(
        "pow",
        lambda: [
            S(2.0, normal(2, 3)),
            S(3, normal(3)),
            S(2, np.arange(4)),
            S(0, np.array([0.0, 1.0, 2.0])),
            S(1j, normal(3)),
            S(2, complex_normal(2, 3)),
        ],
        dtypes=NUMBERS,
        method=False,
        node="PowBackward2",
    ),
]
