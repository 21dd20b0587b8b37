"""Sorting, ranks, distinct values, places, counts."""

from __future__ import annotations

import numpy as np

from ._base import Row, S, Sample, complex_normal, normal, positive
from .reductions import ties, with_nan


def along() -> list[Sample]:
    return [S(normal(3, 4)), S(normal(3, 4), 0), S(normal(2, 3, 4), 1), S(np.array(0.7), 0),
            S(normal(2, 0)), S(normal(3, 4), -2, True), S(normal(5), descending=True)]  # fmt: skip


def repeated() -> np.ndarray:
    return np.array([[3, 1, 1, 2, 3], [3, 1, 1, 2, 3], [0, 1, 1, 0, 0]])


def ordered() -> np.ndarray:
    return np.array([0.5, 1.0, 1.0, 2.5])


ROWS = [
    Row("sort", lambda: [S(normal(3), 1), S(complex_normal(2, 2))], grad=False, out=False),
    Row("topk", lambda: [S(normal(3), 4), S(normal(3), -1)], grad=False, out=False),
    Row("kthvalue", lambda: [S(normal(3), 4), S(normal(3), 0)], grad=False, out=False),
    Row("unique", lambda: [S(np.zeros((0, 2)), dim=1)], grad=False, out=False),
    Row("searchsorted", lambda: [
        S(ordered(), normal(3), side="foo"), S(ordered(), normal(3), side="left", right=True),
        S(normal(2, 2), normal(2)), S(normal(2, 2), 3.0), S(np.array(0.7), normal(2)),
        S(ordered(), normal(2), sorter=np.array([1])),
    ], grad=False, method=False, out=False),
    Row("bucketize", lambda: [S(normal(2), normal(2, 2))], grad=False, method=False, out=False),
    Row("bincount", lambda: [S(np.array([-1])), S(np.array([[1]])), S(normal(3)),
                             S(np.array([1]), minlength=-1), S(np.array([1]), normal(2))],
        grad=False, out=False),
    Row("histc", lambda: [S(normal(3), 0), S(normal(3), 4, 3, 1), S(with_nan(), 3)], grad=False,
        out=False),
    Row("sort", along, node="SortBackward0"),
    Row("sort", lambda: [S(ties(), stable=True), S(ties(), dim=0, descending=True, stable=True),
                         S(ties() > 1, stable=True, dim=1)], grad=False),
    Row("sort", lambda: [S(with_nan()[2]), S(with_nan()[2], descending=True)], grad=False,
        dtypes=("float32",)),
    Row("argsort", lambda: [*along(), S(ties(), dim=0, stable=True)], grad=False, out=False),
    Row("msort", lambda: [S(normal(3, 4)), S(normal(5)), S(normal(2, 3, 4))], node="SortBackward0"),
    Row("topk", lambda: [S(normal(3, 4), 2), S(normal(3, 4), 2, 0), S(normal(3, 4), 3, -1, False),
                         S(np.array(0.7), 1), S(normal(3, 4), 0), S(normal(5), k=5, largest=True)],
        dtypes=("float32",), node="TopkBackward0"),
    Row("topk", lambda: [S(with_nan()[2], 2), S(with_nan()[2], 4, 0, False)], grad=False,
        dtypes=("float32",)),
    Row("kthvalue", lambda: [S(normal(3, 4), 2), S(normal(3, 4), 1, 0), S(normal(3, 4), 3, 1, True),
                             S(np.array(0.7), 1), S(normal(2, 0), 1, 0)], dtypes=("float32",),
        node="KthvalueBackward0"),
    Row("unique", lambda: [
        S(repeated()), S(repeated(), return_inverse=True), S(repeated(), True, True, True),
        S(repeated(), return_counts=True, dim=0), S(repeated(), True, True, True, 1),
        S(np.array(3.0), return_inverse=True, return_counts=True), S(np.zeros((0, 2)), dim=0),
        S(with_nan()), S(repeated() > 1), S(np.zeros(0), return_counts=True),
    ], grad=False, out=False, dtypes=()),
    Row("unique_consecutive", lambda: [
        S(repeated()), S(repeated(), True, True), S(repeated(), True, True, 0),
        S(repeated(), True, True, 1), S(ties(), return_counts=True), S(np.zeros(0)),
    ], grad=False, out=False, dtypes=()),
    Row("searchsorted", lambda: [
        S(ordered(), normal(3, 4)), S(ordered(), np.array([1.0, 2.5]), right=True),
        S(ordered(), 1.0), S(ordered(), 1, side="right"), S(ordered(), 1.0, out_int32=True),
        S(np.sort(normal(3, 4)), normal(3, 2)), S(ordered(), np.array([1, 2])),
        S(np.array([5, 1, 3]), np.array([3, 2]), sorter=np.array([1, 2, 0])),
        S(ordered(), np.array([np.nan, np.inf, -np.inf])), S(ordered(), np.array(1.0)),
    ], grad=False, method=False, dtypes=()),
    Row("bucketize", lambda: [
        S(normal(3, 4), ordered()), S(np.array([1.0, 2.5]), ordered(), right=True),
        S(1.0, ordered()), S(np.array([1, 2]), ordered(), out_int32=True),
    ], grad=False, method=False, dtypes=()),
    Row("bincount", lambda: [
        S(np.array([0, 3, 1, 3])), S(np.array([0, 3]), minlength=6), S(np.zeros(0, int), None, 2),
        S(np.array([0, 3, 3]), np.array([1.0, 2.0, 3.0])), S(np.array([1, 0]), np.array([1, 2])),
        S(np.array([1, 0]), np.array([1.5, 2.0], "float32")), S(np.array([2, 0], "uint8")),
    ], grad=False, out=False, dtypes=()),
    Row("histc", lambda: [
        S(normal(3, 4), 4), S(positive(20), 5, 0.5, 1.5), S(np.ones(3), 3), S(normal(50)),
        S(np.array([0.0, 1.0, 2.0, 3.0]), bins=3, min=0, max=3),
    ], grad=False, dtypes=("float32",)),
]  # fmt: skip
