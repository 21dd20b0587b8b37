"""Rows for new arrangements of elements: joining, flips, repeats, padding, triangles, grids."""

from __future__ import annotations

import numpy as np

from ._base import Row, S, complex_normal, normal

C = complex_normal(3, 4)
COUNTS = np.array([2, 0, 3])
REAL = ("float32", "int64")
EVERY = (*REAL, "bool")


def padding(mode: str, *more: tuple[tuple[int, ...], tuple[int, ...]]) -> list[object]:
    cases = [
        ((2, 5), (2, 1)),
        ((2, 3, 5), (1, 2)),
        ((2, 4, 5), (1, 2, 3, 0)),
        ((1, 2, 4, 5), (0, 2, 1, 1)),
        ((2, 3, 4, 5), (1, 1, 2, 0, 0, 2)),
        *more,
    ]
    return [S(normal(*shape), pad, mode) for shape, pad in cases]


ROWS = [
    Row(
        "cat",
        lambda: [
            S([normal(2, 3), normal(1, 3)]),
            S([normal(2, 3), normal(2, 1)], 1),
            S((normal(2),)),
            S([normal(2), np.arange(2)]),
            S([normal(0), normal(2, 3)]),
            S([normal(2, 3), normal(2, 3)], dim=-1),
            S([C, normal(1, 4)]),
            S([normal(0, 3), normal(2, 3)]),
        ],
        method=False,
        node="CatBackward0",
        dtypes=EVERY,
    ),
    Row("concat", lambda: [S([normal(2), normal(3)])], method=False, node="CatBackward0"),
    Row(
        "concatenate",
        lambda: [S([normal(2, 1), normal(2, 3)], -1)],
        method=False,
        node="CatBackward0",
    ),
    Row(
        "stack",
        lambda: [
            S([normal(2, 3), normal(2, 3)]),
            S([normal(2, 3), normal(2, 3)], 1),
            S([normal(2)] * 3, -1),
            S([normal(), normal()]),
            S([normal(0), normal(0)]),
        ],
        method=False,
        node="StackBackward0",
        dtypes=EVERY,
    ),
    Row(
        "hstack",
        lambda: [
            S([normal(2, 3), normal(2, 1)]),
            S([normal(2), normal(3)]),
            S([normal(), normal(2)]),
        ],
        method=False,
        node="CatBackward0",
    ),
    Row(
        "vstack",
        lambda: [S([normal(2, 3), normal(1, 3)]), S([normal(3), normal(3)])],
        method=False,
        node="CatBackward0",
    ),
    Row("row_stack", lambda: [S([normal(3), normal(3)])], method=False, node="CatBackward0"),
    Row(
        "dstack",
        lambda: [S([normal(2, 3), normal(2, 3)]), S([normal(3), normal(3)])],
        method=False,
        node="CatBackward0",
    ),
    Row(
        "column_stack",
        lambda: [S([normal(3), normal(3, 2)]), S([normal(), normal()])],
        method=False,
        node="CatBackward0",
    ),
    Row(
        "flip",
        lambda: [
            S(normal(2, 3), (0,)),
            S(normal(2, 3), (0, -1)),
            S(normal(3), [0]),
            S(normal(2), ()),
            S(C, (1,)),
        ],
        out=False,
        node="FlipBackward0",
        dtypes=EVERY,
    ),
    Row(
        "Tensor.flip",
        lambda: [S(normal(2, 3), 0), S(normal(2, 3), 0, 1)],
        out=False,
        node="FlipBackward0",
    ),
    Row("fliplr", lambda: [S(normal(2, 3))], out=False, node="FlipBackward0"),
    Row("flipud", lambda: [S(normal(2, 3)), S(normal(3))], out=False, node="FlipBackward0"),
    Row(
        "roll",
        lambda: [
            S(normal(2, 3), 1),
            S(normal(2, 3), 1, 0),
            S(normal(2, 3), (1, -2), (0, 1)),
            S(normal(4), -5, 0),
            S(normal(2, 3), (1, 1), (1, -1)),
            S(normal(0), 1),
        ],
        out=False,
        node="RollBackward0",
        dtypes=EVERY,
    ),
    Row(
        "rot90",
        lambda: [
            S(normal(2, 3)),
            S(normal(2, 3), 2),
            S(normal(2, 3), -1, [1, 0]),
            S(normal(2, 3, 4), 3, (0, -1)),
            S(normal(2, 3), 4),
        ],
        out=False,
        node="Rot90Backward0",
        dtypes=EVERY,
    ),
    Row(
        "Tensor.repeat",
        lambda: [
            S(normal(2, 3), 2, 2),
            S(normal(3), 2, 1),
            S(normal(2, 1), (1, 3)),
            S(normal(), 3),
            S(normal(2), 0),
            S(normal(2, 3), 1, 2, 1, 2),
        ],
        out=False,
        node="RepeatBackward0",
        dtypes=EVERY,
    ),
    Row(
        "tile",
        lambda: [S(normal(2, 3), (2,)), S(normal(2, 3), (2, 1, 2)), S(normal(), (2,))],
        out=False,
        node="RepeatBackward0",
    ),
    Row(
        "repeat_interleave",
        lambda: [
            S(normal(2, 3), 2),
            S(normal(2, 3), 2, 0),
            S(normal(2, 3), 3, -1),
            S(normal(2, 3), 0),
            S(normal(3), np.array([2])),
        ],
        out=False,
        dtypes=REAL,
    ),
    Row(
        "repeat_interleave",
        lambda: [S(normal(3), COUNTS), S(normal(3, 2), COUNTS, 0), S(normal(2, 3), COUNTS, dim=-1)],
        out=False,
        node="IndexSelectBackward0",
        dtypes=REAL,
    ),
    Row("repeat_interleave", lambda: [S(COUNTS)], out=False, grad=False, dtypes=()),
    Row(
        "nn.functional.pad",
        lambda: [
            S(normal(2, 3), (1, 2)),
            S(normal(2, 3), (1, 0, 2, 1)),
            S(normal(2, 3), (-1, 1), value=2.5),
            S(normal(3), [0, 1], "constant", 7),
            S(normal(2, 3, 4), (0, -2, -1, 3)),
            S(normal(0), (1, 1)),
        ],
        method=False,
        out=False,
        node="ConstantPadNdBackward0",
        dtypes=REAL,
    ),
    Row(
        "nn.functional.pad",
        lambda: padding("reflect", ((2, 5), (-1, 3)), ((2, 3, 4), (3, 3))),
        method=False,
        out=False,
        dtypes=("float32",),
    ),
    Row(
        "nn.functional.pad",
        lambda: padding("replicate", ((2, 3, 4), (7, 0)), ((2, 3, 4), (2, -1))),
        method=False,
        out=False,
        dtypes=("float32",),
    ),
    Row(
        "nn.functional.pad",
        lambda: padding("circular", ((2, 3, 4), (4, 4)), ((2, 3, 4), (2, -1))),
        method=False,
        out=False,
        dtypes=REAL,
    ),
    Row(
        "constant_pad_nd",
        lambda: [S(normal(2, 3), (1, 1)), S(normal(2, 3), (1, 1), 2)],
        method=False,
        node="ConstantPadNdBackward0",
    ),
    Row(
        "tril",
        lambda: [
            S(normal(3, 3)),
            S(normal(3, 4), 1),
            S(normal(4, 3), -1),
            S(normal(2, 3, 3)),
            S(C),
            S(normal(0, 3)),
        ],
        inplace=True,
        node="TrilBackward0",
        dtypes=EVERY,
    ),
    Row(
        "triu",
        lambda: [
            S(normal(3, 3)),
            S(normal(3, 4), 1),
            S(normal(4, 3), -1),
            S(normal(2, 3, 3)),
            S(normal(2, 2), 5),
        ],
        inplace=True,
        node="TriuBackward0",
        dtypes=EVERY,
    ),
    Row(
        "tril_indices",
        lambda: [S(3, 4), S(4, 3, -1), S(2, 2, 1), S(0, 2)],
        grad=False,
        method=False,
        out=False,
        dtypes=(),
    ),
    Row(
        "triu_indices",
        lambda: [S(3, 4), S(4, 3, -1), S(2, 2, 1)],
        grad=False,
        method=False,
        out=False,
        dtypes=(),
    ),
    Row(
        "diag",
        lambda: [
            S(normal(3, 3)),
            S(normal(3, 4), 1),
            S(normal(4, 3), -2),
            S(normal(3)),
            S(normal(2), -1),
        ],
        dtypes=EVERY,
    ),
    Row(
        "diag_embed",
        lambda: [
            S(normal(3)),
            S(normal(2, 3)),
            S(normal(2, 3), 1),
            S(normal(2, 3), -1, 0, 2),
            S(normal(2, 3), 0, 2, 1),
        ],
        out=False,
        node="DiagEmbedBackward0",
        dtypes=EVERY,
    ),
    Row(
        "diagflat",
        lambda: [S(normal(3)), S(normal(2, 2), 1), S(normal())],
        out=False,
        node="DiagEmbedBackward0",
    ),
    Row(
        "meshgrid",
        lambda: [
            S(normal(2), normal(3), indexing="ij"),
            S(normal(2), normal(3), indexing="xy"),
            S(normal(2), normal(), normal(3), indexing="xy"),
            S(normal(2), indexing="xy"),
        ],
        method=False,
        out=False,
    ),
    Row(
        "block_diag",
        lambda: [
            S(normal(2, 3), normal(1, 1)),
            S(normal(2), normal()),
            S(normal(2, 2), np.arange(2)),
        ],
        method=False,
        out=False,
        node="BlockDiagBackward0",
        dtypes=REAL,
    ),
    Row(
        "cartesian_prod",
        lambda: [S(normal(2), normal(3)), S(normal(2)), S(normal(2), normal(2), normal(2))],
        method=False,
        out=False,
    ),
    Row(
        "combinations",
        lambda: [S(normal(4)), S(normal(4), 3), S(normal(3), 2, True), S(normal(3), r=1)],
        out=False,
        dtypes=REAL,
    ),
]
