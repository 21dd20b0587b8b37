"""Fourier transforms."""

from __future__ import annotations

import numpy as np

from ._base import Row, S, Sample, complex_normal, normal, positive


def lines(x: np.ndarray) -> list[Sample]:
    """One dimension: cut, filled up, every norm, a dimension from the end."""
    return [
        S(x), S(x, 3), S(x, n=9, dim=0), S(x, dim=-2, norm="ortho"), S(x, 4, 1, "forward"),
        S(x, norm="backward"),
    ]  # fmt: skip


def boxes(x: np.ndarray) -> list[Sample]:
    return [
        S(x), S(x, dim=(0, -1)), S(x, s=(4, 3)), S(x, (2, 5), (1, 0), "ortho"),
        S(x, s=(-1, 4), norm="forward"),
    ]  # fmt: skip


def real() -> np.ndarray:
    return normal(4, 5)


def both() -> list[Sample]:
    return [*lines(real()), *lines(complex_normal(4, 5))]


def window() -> np.ndarray:
    return np.hanning(10)[1:-1]


DTYPES = ("float32", "int64")
COMMON = {"method": False, "dtypes": ("float32",), "tolerance": 1e-8}

ROWS = [
    Row("fft.fft", both, node=None, **COMMON),
    Row("fft.ifft", both, **COMMON),
    Row("fft.rfft", lambda: lines(real()), node="FftR2CBackward0", **COMMON),
    Row("fft.irfft", lambda: [*lines(complex_normal(4, 5)), S(normal(2, 4))],
        node="FftC2RBackward0", **COMMON),
    Row("fft.hfft", lambda: lines(complex_normal(4, 5)), **COMMON),
    Row("fft.ihfft", lambda: lines(real()), **COMMON),
    *[Row(f"fft.{name}", lambda: [*boxes(real()), *boxes(complex_normal(4, 5))], **COMMON)
      for name in ("fft2", "ifft2", "fftn", "ifftn")],
    *[Row(f"fft.{name}", lambda: boxes(real()), **COMMON)
      for name in ("rfft2", "rfftn", "ihfft2", "ihfftn")],
    *[Row(f"fft.{name}", lambda: boxes(complex_normal(4, 5)), **COMMON)
      for name in ("irfft2", "irfftn", "hfft2", "hfftn")],
    *[Row(f"fft.{name}", lambda: [S(np.arange(6)), S(np.arange(5, dtype="uint8"))],
          grad=False, method=False, dtypes=()) for name in ("fft", "ifft", "rfft", "irfft")],
    *[Row(f"fft.{name}", lambda: [S(normal(3, 4)), S(normal(5)), S(normal(3, 4), 1),
                                  S(normal(3, 4), dim=(-1, 0))],
          method=False, out=False) for name in ("fftshift", "ifftshift")],
    *[Row(f"fft.{name}", lambda: [S(4), S(5), S(6, 0.5), S(7, d=2.0), S(1)], grad=False,
          method=False, dtypes=()) for name in ("fftfreq", "rfftfreq")],
    # Refusals: nothing to transform, dimensions twice, lengths that differ, the wrong kind.
    Row("fft.fft", lambda: [S(normal(4), 0), S(normal(4), norm="half"), S(np.array(1.0)),
                            S(normal(4), dim=2), S(normal(2, 0))],
        grad=False, method=False, out=False, dtypes=()),
    Row("fft.fftn", lambda: [S(normal(4, 4), dim=(0, 0)), S(normal(4, 4), (2,), (0, 1)),
                             S(normal(4), (2, 2))],
        grad=False, method=False, out=False, dtypes=()),
    Row("fft.rfft", lambda: [S(complex_normal(4))], grad=False, method=False, out=False,
        dtypes=()),
    Row("stft", lambda: [
        S(normal(20), 8, return_complex=True),
        S(normal(2, 20), 8, 3, 6, window=positive(6), normalized=True, return_complex=True),
        S(normal(20), 8, center=False, onesided=False, return_complex=True),
        S(complex_normal(20), 8, window=window()),
        S(normal(2, 20), 8, pad_mode="constant", return_complex=False),
    ], out=False, **{**COMMON, "method": True}),
    Row("istft", lambda: [
        S(complex_normal(5, 6), 8, window=window()),
        S(complex_normal(2, 5, 6), 8, 4, length=19),
        S(complex_normal(8, 6), 8, onesided=False),
        S(complex_normal(8, 6), 8, return_complex=True, normalized=True),
    ], out=False, **{**COMMON, "method": True}),
]  # fmt: skip
