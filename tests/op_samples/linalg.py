"""Rows for linear algebra: what is a function of all elements, and of nothing but the matrix.

Matrices have batches in front, so that the variants with expanded inputs stay regular. What reads
one triangle only, or is determined up to a phase, is in ``tests/test_linalg.py``.
"""

from __future__ import annotations

import numpy as np

from ._base import Row, S, complex_normal, normal, rng

REAL = ("float32", "int64")
FLOAT = ("float32",)


def regular(*shape: int) -> np.ndarray:
    """Matrices whose singular values are apart, and far from zero."""
    n = min(shape[-2:])
    values = 1.0 + np.arange(n)[::-1]
    left, _ = np.linalg.qr(rng().normal(size=(*shape[:-1], n)))
    right, _ = np.linalg.qr(rng().normal(size=(*shape[:-2], shape[-1], n)))
    return left * values @ np.swapaxes(right, -1, -2)


def complex_regular(*shape: int) -> np.ndarray:
    return regular(*shape) * (1 + 0.5j) + 0.1j * normal(*shape)


def triangle(*shape: int) -> np.ndarray:
    return np.tril(normal(*shape)) / 3 + 2 * np.eye(shape[-1])


def reflections(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    packed, tau = np.linalg.qr(rng().normal(size=shape), "raw")
    return np.swapaxes(packed, -1, -2).copy(), tau


def factors(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    """LU and pivots."""
    pivots = np.tile(np.arange(shape[-1]) + 1, (*shape[:-2], 1)).astype(np.int32)
    pivots[..., 0] = shape[-1]
    return normal(*shape) / 3 + 2 * np.eye(shape[-1]), pivots


SYMMETRIC = regular(3, 3) + regular(3, 3).T + np.diag([0.0, 3.0, 7.0])

ROWS = [
    # --- equations and inverses
    Row(
        "linalg.inv",
        lambda: [S(regular(1, 3, 3)), S(regular(2, 3, 3)), S(complex_regular(2, 2, 2)),
                 S(normal(0, 0)), S(normal(0, 2, 2))],
        method=False, node="LinalgInvExBackward0", dtypes=REAL,
    ),
    Row("inverse", lambda: [S(regular(2, 3, 3))], node="LinalgInvExBackward0", dtypes=REAL),
    Row("linalg.inv_ex", lambda: [S(regular(2, 2, 2)), S(regular(1, 2, 2), check_errors=True)],
        method=False, dtypes=FLOAT),
    Row(
        "linalg.solve",
        lambda: [S(regular(2, 3, 3), normal(2, 3, 2)), S(regular(1, 3, 3), normal(2, 3, 4)),
                 S(regular(2, 3, 3), normal(2, 3)),
                 S(regular(1, 3, 3), normal(1, 2, 3), left=False),
                 S(complex_regular(2, 2, 2), complex_normal(2, 2, 3)),
                 S(normal(1, 0, 0), normal(1, 0, 2)), S(regular(1, 3, 3), normal(1, 3, 0))],
        method=False, dtypes=REAL,
    ),
    Row("linalg.solve_ex", lambda: [S(regular(1, 3, 3), normal(1, 3, 1))], method=False,
        dtypes=FLOAT),
    Row(
        "linalg.solve_triangular",
        lambda: [
            S(triangle(2, 3, 3), normal(2, 3, 2), upper=False),
            S(np.swapaxes(triangle(2, 3, 3), -1, -2).copy(), normal(2, 2, 3), upper=True,
              left=False),
            S(triangle(1, 3, 3), normal(2, 3, 1), upper=False, unitriangular=True),
            S(triangle(1, 3, 3) * (1 + 1j), complex_normal(2, 3, 1), upper=False),
            S(normal(1, 0, 0), normal(1, 0, 2), upper=True),
        ],
        method=False, dtypes=REAL,
    ),
    Row(
        "triangular_solve",
        lambda: [S(normal(2, 3, 2), triangle(2, 3, 3), upper=False),
                 S(normal(2, 3, 1), triangle(1, 3, 3), upper=False, transpose=True),
                 S(normal(1, 3, 1), triangle(1, 3, 3), False, False, True)],
        dtypes=FLOAT,
    ),
    Row("linalg.tensorinv", lambda: [S(regular(1, 6, 6).reshape(1, 6, 3, 2))],
        method=False, dtypes=FLOAT),
    Row("linalg.tensorsolve", lambda: [S(regular(1, 6, 6).reshape(1, 2, 3, 6), normal(1, 2, 3))],
        method=False, dtypes=FLOAT),
    Row(
        "linalg.lstsq",
        lambda: [S(regular(2, 4, 3), normal(2, 4, 2)), S(regular(1, 3, 4), normal(1, 3, 2)),
                 S(regular(1, 4, 3), normal(1, 4, 1), driver="gelsd"),
                 S(regular(1, 4, 3), normal(1, 4, 1), driver="gels"),
                 S(complex_regular(1, 3, 2), complex_normal(1, 3, 1), driver="gelss"),
                 S(regular(2, 4, 3), normal(2, 4))],
        method=False, out=False, dtypes=FLOAT, tolerance=1e-8,
    ),
    Row(
        "linalg.pinv",
        lambda: [S(regular(2, 4, 3)), S(regular(2, 3, 4)), S(complex_regular(1, 3, 2)),
                 S(normal(1, 0, 2))],
        method=False, dtypes=REAL, tolerance=1e-8,
    ),
    Row("pinverse", lambda: [S(regular(2, 3, 2))], out=False, dtypes=FLOAT),
    Row(
        "linalg.matrix_rank",
        lambda: [S(np.ones((3, 3))), S(regular(2, 3, 4)), S(regular(1, 3, 3), 1.5),
                 S(SYMMETRIC, hermitian=True), S(regular(2, 3, 3), atol=np.array([0.5, 2.5])),
                 S(regular(3, 3), rtol=0.5), S(normal(2, 0, 3))],
        grad=False, method=False, dtypes=REAL,
    ),
    # --- decompositions
    Row(
        "linalg.qr",
        lambda: [S(regular(2, 4, 3)), S(regular(2, 3, 3)), S(regular(2, 3, 4)),
                 S(regular(1, 3, 4), "complete"), S(normal(2, 0, 3)), S(normal(0, 2))],
        method=False, dtypes=REAL,
    ),
    Row("linalg.qr", lambda: [S(regular(2, 4, 3), "r"), S(regular(2, 4, 3), mode="complete")],
        grad=False, method=False, dtypes=FLOAT),
    Row("qr", lambda: [S(regular(2, 4, 3)), S(regular(1, 3, 4), False)], dtypes=FLOAT),
    Row("geqrf", lambda: [S(regular(2, 4, 3)), S(regular(3, 4)), S(normal(0, 3))], grad=False,
        dtypes=FLOAT),
    Row(
        "linalg.householder_product",
        lambda: [S(*reflections(2, 4, 3)), S(normal(2, 4, 3), normal(2, 2)),
                 S(complex_normal(1, 3, 2), complex_normal(1, 2)),
                 S(normal(1, 3, 0), normal(1, 0))],
        method=False, dtypes=FLOAT,
    ),
    Row("orgqr", lambda: [S(*reflections(2, 3, 2))], dtypes=FLOAT),
    Row(
        "ormqr",
        lambda: [S(*reflections(2, 4, 3), normal(2, 4, 2)),
                 S(*reflections(2, 4, 3), normal(2, 2, 4), left=False),
                 S(*reflections(2, 4, 3), normal(2, 4, 2), transpose=True)],
        dtypes=FLOAT,
    ),
    Row(
        "linalg.lu_factor",
        lambda: [S(regular(2, 3, 3)), S(regular(2, 4, 3)), S(regular(2, 3, 4)),
                 S(complex_regular(2, 2, 2)), S(normal(0, 3, 3)), S(normal(3, 0))],
        method=False, dtypes=FLOAT,
    ),
    Row("linalg.lu_factor_ex", lambda: [S(regular(2, 3, 3))], method=False, dtypes=FLOAT),
    Row("linalg.lu", lambda: [S(regular(2, 3, 3)), S(regular(2, 4, 3)), S(regular(2, 3, 4))],
        method=False, dtypes=REAL),
    Row("lu", lambda: [S(regular(2, 3, 3)), S(regular(1, 3, 3), get_infos=True)], out=False,
        dtypes=FLOAT),
    Row(
        "linalg.lu_solve",
        lambda: [S(*factors(2, 3, 3), normal(2, 3, 2)),
                 S(*factors(2, 3, 3), normal(2, 2, 3), left=False),
                 S(*factors(1, 3, 3), normal(2, 3, 2), adjoint=True),
                 S(*factors(1, 3, 3), normal(1, 2, 3), left=False, adjoint=True)],
        method=False, dtypes=FLOAT,
    ),
    Row("lu_solve", lambda: [S(normal(2, 3, 2), *factors(2, 3, 3))], dtypes=FLOAT),
    Row(
        "lu_unpack",
        lambda: [S(*factors(2, 3, 3)), S(normal(2, 4, 3), np.array([[4, 2, 3]] * 2, np.int32)),
                 S(normal(1, 3, 4), np.array([[2, 2, 3]], np.int32)),
                 S(*factors(1, 3, 3), unpack_pivots=False)],
        method=False, dtypes=FLOAT,
    ),
    Row("linalg.ldl_factor", lambda: [S(SYMMETRIC), S(np.stack([SYMMETRIC, -SYMMETRIC])),
                                      S(np.array([[0.0, 1.0, 2.0], [1, 0, 3], [2, 3, 0]]))],
        grad=False, method=False, dtypes=FLOAT),
    Row("linalg.ldl_factor_ex", lambda: [S(SYMMETRIC + 1j * np.triu(normal(3, 3), 1)
                                           - 1j * np.triu(normal(3, 3), 1).T, hermitian=True)],
        grad=False, method=False, dtypes=FLOAT),
    Row("linalg.ldl_solve", lambda: [S(triangle(3, 3), np.array([1, 2, 3], np.int32), normal(3, 2)),
                                     S(triangle(3, 3), np.array([-3, -3, 3], np.int32),
                                       normal(2, 3, 2))],
        grad=False, method=False, dtypes=FLOAT),
    Row("linalg.svdvals", lambda: [S(regular(2, 3, 4)), S(normal(0, 2))],
        method=False, dtypes=REAL),
    # --- functions
    Row(
        "linalg.det",
        lambda: [S(regular(1, 3, 3)), S(regular(2, 3, 3)), S(complex_regular(2, 2, 2)),
                 S(normal(0, 0))],
        method=False, node="LinalgDetBackward0", dtypes=REAL,
    ),
    Row("det", lambda: [S(regular(2, 3, 3))], node="LinalgDetBackward0", dtypes=REAL),
    Row("linalg.slogdet", lambda: [S(regular(1, 3, 3)), S(-regular(2, 3, 3)),
                                   S(complex_regular(2, 2, 2)), S(normal(0, 0))],
        method=False, dtypes=REAL),
    Row("slogdet", lambda: [S(regular(2, 3, 3))], dtypes=REAL),
    Row("logdet", lambda: [S(regular(2, 3, 3) @ np.swapaxes(regular(2, 3, 3), -1, -2)),
                           S(complex_regular(2, 2, 2))],
        out=False, dtypes=FLOAT),
    Row("logdet", lambda: [S(np.diag([-1.0, 1.0])), S(np.zeros((2, 2)))], grad=False, out=False,
        dtypes=REAL),
    Row(
        "linalg.matrix_exp",
        lambda: [S(normal(1, 3, 3)), S(normal(2, 2, 2) * 4), S(complex_normal(1, 2, 2)),
                 S(normal(2, 2, 2) / 1000), S(normal(0, 0))],
        method=False, out=False, node="LinalgMatrixExpBackward0", dtypes=REAL,
    ),
    Row("matrix_exp", lambda: [S(normal(1, 2, 2))], out=False, dtypes=FLOAT),
    Row("linalg.matrix_power",
        lambda: [S(regular(2, 3, 3), n) for n in (0, 1, 2, 3, 5, -1, -2)],
        method=False, dtypes=REAL),
    Row("matrix_power", lambda: [S(regular(1, 3, 3), 3)], dtypes=REAL),
    Row("linalg.vecdot", lambda: [S(normal(2, 3), normal(2, 3)),
                                  S(normal(2, 3), normal(2, 1), dim=0),
                                  S(complex_normal(2, 3), complex_normal(2, 3))],
        method=False, dtypes=REAL),
    Row("linalg.vander", lambda: [S(normal(3)), S(normal(2, 3), N=4), S(complex_normal(1, 3), N=2)],
        method=False, out=False, dtypes=REAL),
    Row("vander", lambda: [S(normal(3)), S(normal(3), 2, True), S(normal(3), N=0),
                           S(normal(2, 2))],
        grad=False, method=False, out=False, dtypes=REAL),
    Row("linalg.cross", lambda: [S(normal(2, 3), normal(2, 3)),
                                 S(normal(3, 2), normal(3, 1), dim=0),
                                 S(complex_normal(2, 3), complex_normal(2, 3))],
        method=False, dtypes=REAL),
    Row("cross", lambda: [S(normal(2, 3), normal(2, 3), 1), S(normal(2, 3, 1), normal(2, 3, 1))],
        dtypes=REAL),
    Row("linalg.diagonal", lambda: [S(normal(2, 3)), S(normal(2, 3, 3), offset=1),
                                    S(normal(2, 3, 4), offset=-1, dim1=0, dim2=2)],
        method=False, out=False, dtypes=REAL),
    Row("trace", lambda: [S(normal(3, 3)), S(normal(2, 4)), S(complex_normal(2, 2))],
        out=False, dtypes=REAL),
    # --- norms
    Row("linalg.cond", lambda: [S(regular(2, 3, 3), p) for p in (1, -1, np.inf, "fro", "nuc")]
        + [S(np.zeros((2, 2)), 1), S(normal(2, 2), 3)],
        grad=False, method=False, dtypes=FLOAT),
    Row(
        "linalg.matrix_norm",
        lambda: [S(regular(2, 3, 4), ord) for ord in ("fro", "nuc", np.inf, -np.inf, 1, -1, 2, -2)]
        + [S(complex_regular(1, 2, 3), 1), S(regular(2, 3, 4), 2, (0, 2), True),
           S(normal(1, 3, 2), 1, (-1, 1))],
        method=False, dtypes=FLOAT,
    ),
    Row("linalg.cond", lambda: [S(regular(2, 3, 3), p) for p in (None, 2, -2)],
        method=False, dtypes=FLOAT),
    Row("norm", lambda: [S(regular(2, 3, 3), "nuc", dim=(1, 2)),
                         S(regular(1, 2, 3), "nuc", (2, 1))],
        out=False, dtypes=FLOAT),
]  # fmt: skip
