"""Rows for distances, norms kept within bounds, and covariances."""

from __future__ import annotations

import numpy as np

from ._base import Row, S, complex_normal, normal, positive

REAL = ("float32", "int64")

ROWS = [
    Row("dist", lambda: [S(normal(2, 3), positive(3), p) for p in (2, 1, 3, np.inf)]
        + [S(complex_normal(2, 2), complex_normal(2, 2) * 2)],
        dtypes=REAL),
    Row(
        "cdist",
        lambda: [S(normal(3, 2), positive(4, 2), p) for p in (0.0, 1.0, 2.0, 3.0, np.inf)]
        + [S(normal(1, 3, 2), positive(2, 4, 2)), S(normal(0, 2), normal(3, 2)),
           S(normal(2, 0), normal(3, 0))],
        second=False, method=False, out=False, dtypes=REAL,
    ),
    Row("cdist", lambda: [S(normal(3, 2), positive(4, 2), 2.0, "use_mm_for_euclid_dist")],
        second=False, method=False, out=False, dtypes=("float32",)),
    Row("nn.functional.pdist", lambda: [S(normal(4, 3), p) for p in (2.0, 1.0, 3.0, np.inf)]
        + [S(normal(2, 2))],
        second=False, method=False, out=False, dtypes=REAL),
    # (PyTorch's derivative of these two reads memory that is not there.)
    Row("nn.functional.pdist", lambda: [S(normal(1, 3)), S(normal(0, 3)), S(normal(3))],
        grad=False, method=False, out=False, dtypes=REAL),
    Row("pdist", lambda: [S(normal(4, 3))], second=False, method=False, out=False,
        dtypes=("float32",)),
    Row("renorm", lambda: [S(normal(2, 3), 2, 0, 1.5), S(normal(2, 3), 1, -1, 1.0),
                           S(normal(2, 3, 2), 3, 1, 1.0), S(complex_normal(2, 2), 2, 0, 1.0)],
        inplace=True, dtypes=REAL),
    Row(
        "cov",
        lambda: [S(normal(2, 4)), S(normal(4)), S(complex_normal(2, 3)),
                 S(normal(2, 4), correction=0),
                 S(normal(2, 4), fweights=np.array([1, 2, 1, 3])),
                 S(normal(2, 4), aweights=positive(4)),
                 S(normal(2, 4), correction=0, fweights=np.array([1, 2, 1, 3]),
                   aweights=positive(4))],
        out=False, dtypes=("float32",), tolerance=1e-8,
    ),
    Row("corrcoef", lambda: [S(normal(2, 4)), S(complex_normal(2, 3))],
        second=False, out=False, dtypes=("float32",), tolerance=1e-8),
]  # fmt: skip
