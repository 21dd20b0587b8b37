"""Samples of indexing, gathering, scattering and masking."""

from __future__ import annotations

import numpy as np

from ._base import Row, S, normal, positive

I = np.array  # noqa: E741


def _mask(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).random(shape) < 0.5


ROWS = [
    Row("index_select", lambda: [
        S(normal(3, 4), 0, I([0, 2, 0])), S(normal(3, 4), -1, I([3])), S(normal(3, 4), 1, I(2)),
        S(normal(3, 0), 0, I([1])), S(normal(3), 0, I([], dtype="int64")), S(normal(), 0, I([0])),
        S(normal(2, 3, 4), 1, I([2, 2, 1], dtype="int32")),
    ], node="IndexSelectBackward0"),
    Row("index_add", lambda: [
        S(normal(3, 4), 0, I([0, 0, 2]), positive(3, 4)), S(normal(3, 4), -1, I([3]), normal(3, 1)),
        S(normal(3), 0, I([1, 1]), normal(2), alpha=2),
        S(normal(2, 3, 4), 1, I([2, 2]), normal(2, 2, 4)),
    ], inplace=True, node="IndexAddBackward0"),
    Row("index_copy", lambda: [
        S(normal(3, 4), 0, I([0, 2]), positive(2, 4)), S(normal(3, 4), -1, I([3]), normal(3, 1)),
        S(normal(3), 0, I([], dtype="int64"), normal(0)),
    ], inplace=True, node="IndexCopyBackward0"),
    Row("index_fill", lambda: [
        S(normal(3, 4), 0, I([0, -1]), 5), S(normal(3, 4), -1, I([1, 1]), 0),
    ], inplace=True, out=False, node="IndexFillBackward0"),
    Row("gather", lambda: [
        S(normal(3, 4), 1, I([[0, 0], [1, 2], [3, 3]])), S(normal(3, 4), -2, I([[0, 2, 1]])),
        S(normal(3), 0, I([2, 2, 0, 1])), S(normal(), 0, I(0)),
        S(normal(2, 3, 4), 1, np.random.default_rng(0).integers(0, 3, (2, 5, 4))),
        S(normal(3, 4), 1, np.zeros((3, 0), "int64")),
    ], node="GatherBackward0"),
    Row("scatter", lambda: [
        S(normal(3, 4), 1, I([[0, 1], [1, 2], [3, 0]]), positive(3, 2)),
        S(normal(3, 4), -2, I([[0, 2, 1]]), positive(1, 3)),
        S(normal(3), 0, I([2]), normal(1)),
    ], inplace=True, node="ScatterBackward0"),
    Row("scatter_add", lambda: [
        S(normal(3, 4), 1, I([[0, 0], [1, 2], [3, 3]]), positive(3, 2)),
        S(normal(3, 4), -2, I([[0, 2, 1]]), positive(1, 3)), S(normal(), 0, I(0), normal()),
        S(normal(3), 0, I([2, 2, 2, 0]), normal(4)),
    ], inplace=True, node="ScatterAddBackward0"),
    *[
        Row("scatter_reduce", lambda reduce=reduce: [
            S(normal(3, 4), 1, I([[0, 0], [1, 2], [3, 3]]), 1.3 * positive(3, 2), reduce),
            S(normal(3), 0, I([2, 2, 2, 0]), 1.3 * positive(4), reduce, include_self=False),
        ], inplace=True, dtypes=("float32",), node="ScatterReduceBackward0")
        for reduce in ("sum", "prod", "mean", "amax", "amin")
    ],
    Row("take", lambda: [
        S(normal(3, 4), I([[0, 11], [5, -12]])), S(normal(3), I([], dtype="int64")),
        S(normal(), I(0)),
    ], node="TakeBackward0"),
    Row("put", lambda: [
        S(normal(3, 4), I([0, 11]), positive(2)), S(normal(3), I([0, 0, 1]), positive(3), True),
    ], out=False, node="PutBackward0"),
    Row("take_along_dim", lambda: [
        S(normal(3, 4), I([[0], [1], [3]]), 1), S(normal(3, 4), I([[0, 3]]), 1),
        S(normal(4), I([0, 3, 3])), S(normal(1, 4), I([[0, 0, 0, 0], [0, 0, 0, 0]]), 0),
    ]),
    Row("masked_fill", lambda: [
        S(normal(3, 4), _mask(3, 4), 0), S(normal(3, 4), _mask(4), 5),
        S(normal(3, 4), _mask(3, 1), -1),
        S(normal(4), _mask(4), 2.0), S(normal(), np.array(True), 1), S(normal(0, 3), _mask(3), 1),
    ], inplace=True, out=False, node="MaskedFillBackward0"),
    Row("masked_select", lambda: [
        S(normal(3, 4), _mask(3, 4)), S(normal(3, 4), _mask(4)), S(normal(4), _mask(3, 4)),
        S(normal(), np.array(True)),
    ], node="MaskedSelectBackward0"),
    Row("masked_scatter", lambda: [
        S(normal(3, 4), _mask(3, 4), positive(13)), S(normal(3, 4), _mask(4), positive(3, 4)),
    ], inplace=True, out=False, node="MaskedScatterBackward0"),
    Row("nonzero", lambda: [S(_mask(3, 4)), S(I([0.0, 2.0])), S(I(3.0)), S(I([], dtype="int64"))],
        grad=False),
    Row("argwhere", lambda: [S(_mask(3, 4)), S(I(0.0))], grad=False, out=False),
    Row("index_put", lambda: [
        S(normal(3, 4), (I([0, 2]),), positive(4)),
        S(normal(3, 4), (_mask(3, 4),), normal(int(_mask(3, 4).sum()))),
        S(normal(3, 4), (I([0, 0]), I([1, 1])), positive(2), True),
    ], inplace=True, out=False, dtypes=("float32",), node="IndexPutBackward0"),
    Row("select_scatter", lambda: [
        S(normal(3, 4), normal(4), 0, 1), S(normal(3, 4), normal(3), -1, -1),
    ], out=False, node="SelectScatterBackward0"),
    Row("slice_scatter", lambda: [
        S(normal(3, 4), normal(1, 4), 0, 1, 2), S(normal(3, 4), normal(3, 2), -1, 0, 4, 2),
    ], out=False, node="SliceScatterBackward0"),
    Row("diagonal_scatter", lambda: [S(normal(3, 4), normal(3)), S(normal(3, 4), normal(2), -1)],
        out=False, node="DiagonalScatterBackward0"),
]  # fmt: skip
