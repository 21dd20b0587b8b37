"""Gradients and integrals of points, histograms, copies of views."""

from __future__ import annotations

import numpy as np

from ._base import Row, S, complex_normal, normal, positive


def ascending(n: int) -> np.ndarray:
    return np.cumsum(positive(n))


PLAIN = {"method": False, "out": False}

ROWS = [
    Row("nextafter", lambda: [S(normal(3, 2), normal(2)), S(normal(2, 0), normal(1))], grad=False,
        inplace=True, dtypes=("float32",)),
    Row("gradient", lambda: [S(normal(4, 5)), S(normal(5), spacing=0.5, edge_order=2),
        S(normal(4, 5), spacing=(ascending(4), ascending(5)), edge_order=2),
        S(normal(4, 5), dim=-1), S(complex_normal(4), spacing=2.0)], **PLAIN),
    Row("gradient", lambda: [S(normal(1)), S(normal(4), edge_order=3),
        S(normal(4, 4), spacing=(1.0, 1.0, 1.0))], grad=False, dtypes=(), **PLAIN),
    *[Row(name, lambda: [S(normal(4, 5)), S(normal(4, 5), dx=2.0, dim=0),
          S(normal(4, 5), ascending(5)), S(normal(4, 5), normal(4, 5), dim=0), S(normal(2, 1))],
          **PLAIN) for name in ("trapezoid", "trapz", "cumulative_trapezoid")],
    Row("histogram", lambda: [S(normal(3, 4), 5), S(normal(20), 4, range=(-1.0, 1.0)),
        S(normal(20), ascending(4), weight=positive(20), density=True), S(normal(0), 3)],
        grad=False, dtypes=("float32",)),
    Row("histogramdd", lambda: [S(normal(10, 2), [2, 3]), S(normal(4, 5, 2), 3),
        S(normal(10, 2), [2, 2], range=[-1.0, 1.0, -2.0, 2.0], density=True),
        S(normal(10, 2), [ascending(3), ascending(4)], weight=positive(10))],
        grad=False, dtypes=(), **PLAIN),
    Row("index_reduce", lambda: [
        S(normal(3, 2), 0, np.array([0, 2, 0]), positive(3, 2) * 1.03, how, include_self=own)
        for how in ("prod", "mean", "amax", "amin") for own in (True, False)],
        inplace=True, dtypes=("float32",)),
    Row("unravel_index", lambda: [S(np.array([1, 5, 3]), (2, 3)), S(np.array(4), 6)], grad=False,
        dtypes=(), **PLAIN),
    Row("nonzero_static", lambda: [S(np.array([[0, 1], [2, 0]]), size=3, fill_value=7),
        S(np.array([0, 1]), size=0), S(np.array(3.0), size=2)], grad=False, out=False),
    Row("Tensor.sum_to_size", lambda: [S(normal(2, 3), (1, 3)), S(normal(2, 3), 3),
        S(normal(2, 3), 2, 3)], **PLAIN),
    Row("Tensor.sum_to_size", lambda: [S(normal(2, 3), 2, 2)], grad=False, dtypes=(), **PLAIN),
    Row("expand_copy", lambda: [S(normal(3, 1), (3, 4)), S(normal(1), (2, -1))], method=False),
    Row("narrow_copy", lambda: [S(normal(3, 4), 1, 1, 2), S(normal(3, 4), -2, 0, 3)]),
    Row("unbind_copy", lambda: [S(normal(3, 2)), S(normal(3, 2), 1)], **PLAIN),
    Row("unsafe_split", lambda: [S(normal(5, 2), 2)], out=False),
    Row("unsafe_chunk", lambda: [S(normal(5, 2), 3, 0)], out=False),
    Row("slice_copy", lambda: [S(normal(5, 2), 0, 1, 4, 2), S(normal(5, 2), -1, 0, 1)],
        method=False),
    *[Row(name, lambda: [S(complex_normal(3))], out=False)
      for name in ("resolve_conj", "resolve_neg")],
    *[Row(f"masked.{name}", lambda: [S(normal(3, 4), mask=normal(3, 4) > 0),
          S(normal(3, 4), 1, keepdim=True, mask=normal(4) > 0), S(normal(3, 4), (0, 1)),
          S(np.array(2.0), mask=np.array(True))], dtypes=("float32",), **PLAIN)
      for name in ("sum", "prod", "mean", "amax", "amin")],
    *[Row(f"masked.{name}", lambda: [S(normal(3, 4), 1, mask=normal(3, 4) > -1), S(normal(4), 0)],
          dtypes=("float32",), **PLAIN)
      for name in ("softmax", "log_softmax", "softmin", "cumsum", "cumprod", "logsumexp",
                   "median", "var", "std")],
    Row("masked.norm", lambda: [S(normal(3, 4), 2.0, 1, mask=normal(3, 4) > 0), S(normal(4))],
        dtypes=("float32",), **PLAIN),
    Row("masked.normalize", lambda: [S(normal(3, 4), 2.0, 1, mask=normal(3, 4) > 0)],
        dtypes=("float32",), **PLAIN),
    # (Operands are made smaller to broadcast where gradients are checked: masks are, too.)
    Row("masked.logaddexp", lambda: [S(normal(3, 4), normal(4) * 2, other_mask=np.array([True])),
        S(normal(3, 4), normal(4) * 2, input_mask=np.array([True]))], dtypes=("float32",), **PLAIN),
    Row("masked.logaddexp", lambda: [S(normal(4), normal(4) * 2, input_mask=normal(4) > -1,
        other_mask=normal(4) > 0)], grad=False, dtypes=("float32",), **PLAIN),
    *[Row(f"masked.{name}", lambda: [S(normal(3, 4), mask=normal(3, 4) > 0), S(normal(3, 4), 1)],
          grad=False, **PLAIN) for name in ("argmax", "argmin")],
    Row("masked.sum", lambda: [S(normal(4), mask=normal(2, 4) > 0), S(normal(4), 3)], grad=False,
        dtypes=(), **PLAIN),
    *[Row(f"signal.windows.{name}", lambda: [S(7), S(6, sym=False), S(1), S(0), S(-1)], grad=False,
          dtypes=(), **PLAIN)
      for name in ("bartlett", "blackman", "cosine", "exponential", "gaussian", "general_hamming",
                   "hamming", "hann", "kaiser", "nuttall")],
    Row("signal.windows.general_cosine", lambda: [S(7, a=[0.4, 0.3, 0.2]), S(7, a=[])], grad=False,
        dtypes=(), **PLAIN),
]  # fmt: skip
