"""Softmax, log-softmax, log-sum-exp."""

from __future__ import annotations

import numpy as np

from ._base import Row, S, Sample, complex_normal, normal


def along() -> list[Sample]:
    return [S(normal(3, 4), 0), S(normal(3, 4), -1), S(normal(2, 3, 4), 1), S(np.array(0.7), 0),
            S(normal(2, 0), 1), S(normal(3, 4) * 500, dim=1)]  # fmt: skip


def infinite() -> np.ndarray:
    x = normal(3, 4)
    x[0, 1] = -np.inf
    return x


ROWS = [
    *[Row(name, lambda: [S(normal(3), 1), S(np.arange(3), 0), S(complex_normal(2, 2), 1)],
          grad=False, out=False) for name in ("softmax", "log_softmax")],
    Row("softmax", along, dtypes=("float32",), node="SoftmaxBackward0"),
    Row("log_softmax", along, dtypes=("float32",), node="LogSoftmaxBackward0"),
    Row("softmax", lambda: [S(infinite(), 1)], dtypes=("float32",)),
    Row("log_softmax", lambda: [S(infinite(), 1)], grad=False, dtypes=("float32",)),
    Row("nn.functional.softmax", lambda: [S(normal(3, 4), -1), S(normal(4), dim=0)], method=False,
        out=False, dtypes=("float32",), node="SoftmaxBackward0"),
    Row("nn.functional.log_softmax", lambda: [S(normal(3, 4), -1), S(normal(4), dim=0)],
        method=False, out=False, dtypes=("float32",), node="LogSoftmaxBackward0"),
    Row("nn.functional.softmin", lambda: [S(normal(3, 4), -1), S(normal(4), dim=0)],
        method=False, out=False, dtypes=("float32",), node="SoftmaxBackward0"),
    Row("logsumexp", lambda: [
        S(normal(3, 4), 1), S(normal(3, 4), (0, -1)), S(normal(2, 3, 4), (0, 2), True),
        S(np.array(0.7), 0), S(normal(2, 0), 1), S(normal(3, 4) * 500, 0), S(infinite(), 1),
    ], dtypes=("float32",), node="LogsumexpBackward0"),
    Row("logsumexp", lambda: [S(np.arange(6).reshape(2, 3), 1)], grad=False, dtypes=(),
        tolerance=1e-6),
    Row("logsumexp", lambda: [S(complex_normal(3, 4), 1)], dtypes=()),
]  # fmt: skip
