"""Rows for products of matrices and vectors."""

from __future__ import annotations

import numpy as np

from ._base import Row, S, complex_normal, normal

A, B = complex_normal(2, 3), complex_normal(3, 2)
I23, I32 = np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2)
REAL = ("float32", "int64")

ROWS = [
    Row(
        "mm",
        lambda: [
            S(normal(2, 3), normal(3, 4)),
            S(A, B),
            S(I23, I32),
            S(normal(0, 3), normal(3, 2)),
            S(normal(2, 0), normal(0, 3)),
        ],
        node="MmBackward0",
        dtypes=REAL,
    ),
    Row(
        "mv",
        lambda: [S(normal(2, 3), normal(3)), S(A, B[:, 0].copy()), S(normal(2, 0), normal(0))],
        node="MvBackward0",
        dtypes=REAL,
    ),
    Row(
        "dot",
        lambda: [S(normal(3), normal(3)), S(A[0], A[1]), S(normal(0), normal(0))],
        node="DotBackward0",
        dtypes=REAL,
    ),
    Row(
        "vdot", lambda: [S(normal(3), normal(3)), S(A[0], A[1])], node="VdotBackward0", dtypes=REAL
    ),
    Row(
        "outer",
        lambda: [S(normal(3), normal(2)), S(A[0], B[0]), S(normal(3), I23[0])],
        node="MulBackward0",
        dtypes=REAL,
    ),
    Row("ger", lambda: [S(normal(3), normal(2))], node="MulBackward0", dtypes=REAL),
    Row(
        "inner",
        lambda: [
            S(normal(3), normal(3)),
            S(normal(2, 3), normal(4, 3)),
            S(normal(2, 3), normal(3)),
            S(normal(2), normal()),
        ],
        dtypes=REAL,
    ),
    Row(
        "bmm",
        lambda: [S(normal(4, 2, 3), normal(4, 3, 5)), S(A[None], B[None])],
        node="BmmBackward0",
        dtypes=REAL,
    ),
    Row(
        "matmul",
        lambda: [
            S(normal(2, 3), normal(3, 4)),
            S(normal(2, 3), normal(3)),
            S(normal(3), normal(3)),
            S(normal(3), normal(3, 2)),
            S(normal(4, 2, 3), normal(3)),
            S(normal(3), normal(4, 3, 2)),
            S(normal(4, 2, 3), normal(3, 5)),
            S(normal(2, 3), normal(4, 3, 5)),
            S(normal(4, 2, 3), normal(4, 3, 5)),
            S(normal(4, 1, 2, 3), normal(5, 3, 2)),
            S(normal(0, 2, 3), normal(3, 2)),
            S(A, B),
            S(I23, I32),
            S(normal(2, 1, 0), normal(0, 2)),
            S(A[None], B),
            S(np.stack([A, A]), np.stack([B, B])),
        ],
        dtypes=REAL,
    ),
    Row(
        "addmm",
        lambda: [
            S(normal(2, 4), normal(2, 3), normal(3, 4)),
            S(normal(2, 4), normal(2, 3), normal(3, 4), beta=0.5, alpha=2),
            S(normal(2, 4), normal(2, 3), normal(3, 4), beta=0),
        ],
        inplace=True,
        node="AddmmBackward0",
        dtypes=("float32",),
    ),
    Row(
        "addmm",
        lambda: [
            S(normal(4), normal(2, 3), normal(3, 4)),
            S(normal(), normal(2, 3), normal(3, 4), alpha=3),
            S(A[:, :2].copy(), A, B, alpha=2j),
        ],
        node="AddmmBackward0",
        dtypes=(),
    ),
    Row(
        "addmv",
        lambda: [
            S(normal(2), normal(2, 3), normal(3)),
            S(normal(2), normal(2, 3), normal(3), beta=2, alpha=-1),
        ],
        inplace=True,
        node="AddmvBackward0",
        dtypes=REAL,
    ),
    Row(
        "addr",
        lambda: [
            S(normal(2, 3), normal(2), normal(3)),
            S(normal(2, 3), normal(2), normal(3), beta=2, alpha=3),
        ],
        inplace=True,
        node="AddrBackward0",
        dtypes=("float32", "int64"),
    ),
    Row(
        "baddbmm",
        lambda: [S(normal(4, 2, 5), normal(4, 2, 3), normal(4, 3, 5), alpha=2, beta=3)],
        inplace=True,
        node="BaddbmmBackward0",
        dtypes=REAL,
    ),
    Row(
        "baddbmm",
        lambda: [S(normal(2, 5), normal(4, 2, 3), normal(4, 3, 5))],
        node="BaddbmmBackward0",
        dtypes=REAL,
    ),
    Row(
        "addbmm",
        lambda: [
            S(normal(2, 5), normal(4, 2, 3), normal(4, 3, 5)),
            S(normal(2, 5), normal(4, 2, 3), normal(4, 3, 5), alpha=2, beta=3),
        ],
        inplace=True,
        node="AddbmmBackward0",
        dtypes=REAL,
    ),
    Row(
        "nn.functional.linear",
        lambda: [
            S(normal(2, 3), normal(4, 3), normal(4)),
            S(normal(2, 3), normal(4, 3)),
            S(normal(3), normal(4, 3), normal(4)),
            S(normal(3), normal(4, 3)),
            S(normal(2, 5, 3), normal(4, 3), normal(4)),
            S(normal(2, 5, 3), normal(4, 3)),
            S(normal(2, 3), normal(3)),
            S(normal(0, 3), normal(4, 3), normal(4)),
        ],
        method=False,
        dtypes=("float32",),
    ),
    Row(
        "kron",
        lambda: [S(normal(2, 3), normal(2, 2)), S(normal(2), normal(3)), S(A, B)],
        dtypes=REAL,
    ),
    Row(
        "tensordot",
        lambda: [
            S(normal(2, 3), normal(3, 4), 1),
            S(normal(2, 3, 4), normal(3, 4, 5)),
            S(normal(2, 3), normal(4, 3), ([1], [1])),
            S(normal(2, 3, 4), normal(4, 2), dims=([0, -1], [1, 0])),
            S(normal(2), normal(3), 0),
            S(A, B, 2 - 1),
        ],
        method=False,
        dtypes=REAL,
    ),
    Row(
        "linalg.multi_dot",
        lambda: [
            S([normal(2, 3), normal(3, 4), normal(4, 2)]),
            S([normal(3), normal(3, 4), normal(4)]),
            S([normal(2, 3), normal(3)]),
            S([normal(10, 2), normal(2, 9), normal(9, 3), normal(3, 4)]),
        ],
        method=False,
        dtypes=("float32",),
    ),
    Row(
        "einsum",
        lambda: [
            S("ij,jk->ik", normal(2, 3), normal(3, 4)),
            S("ij,jk", normal(2, 3), normal(3, 4)),
            S("ij->ji", normal(2, 3)),
            S("ii", normal(3, 3)),
            S("ii->i", normal(3, 3)),
            S("ij->", normal(2, 3)),
            S("ij->j", normal(2, 3)),
            S("i,i", normal(3), normal(3)),
            S("i,j->ij", normal(3), normal(2)),
            S("bij,bjk->bik", normal(4, 2, 3), normal(4, 3, 5)),
            S("...ij,...jk->...ik", normal(4, 2, 3), normal(3, 5)),
            S("b...,b...->b...", normal(2, 3), normal(2, 3)),
            S("bn,anm,bm->ba", normal(2, 3), normal(4, 3, 5), normal(2, 5)),
            S("ij,ij->i", normal(2, 3), normal(2, 1)),
            S("ij,jk->k", normal(2, 3), normal(3, 4)),
            S("i,ij,j->", normal(2), normal(2, 3), normal(3)),
            S(" i j , j -> i", A, B[:, 0].copy()),
            S("ij,ij->ij", normal(1, 3), normal(2, 3)),
            S("bhqd,bhkd->bhqk", normal(2, 2, 3, 4), normal(2, 2, 5, 4)),
            S("iij,j->i", normal(2, 2, 3), normal(3)),
            S("...", normal(2, 3)),
            S("i...->...", normal(2, 3)),
            S("ij,jk->ik", normal(0, 3), normal(3, 4)),
            S(",i->i", normal(), normal(3)),
        ],
        method=False,
        out=False,
        dtypes=("float32", "int64"),
    ),
    Row(
        "einsum",
        lambda: [
            S(normal(2, 3), [0, 1], normal(3, 4), [1, 2], [0, 2]),
            S(normal(2, 3), [0, 1], normal(3), [1]),
        ],
        method=False,
        out=False,
        dtypes=("float32",),
    ),
]
