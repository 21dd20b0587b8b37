"""``devgrad.signal.windows``: windows, to multiply parts of a signal with.

Each takes the number of elements ``M`` (0 and 1 are allowed) and, by keyword, ``sym`` (symmetric,
for filters; False makes a window that repeats without a seam, for spectra), ``dtype`` (float32 or
float64), ``device``, ``requires_grad``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from .._filling import chosen_type, finished, linspace
from .._tensor import Tensor
from ..device import DType
from ..ops import FUNCTIONS, load_all
from ..ops._op import AnyDevice

load_all()

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine",
    "general_hamming", "hamming", "hann", "kaiser", "nuttall",
]  # fmt: skip


def _checked(name: str, M: int, dtype: Any, layout: Any, device: Any) -> Any:
    """The type of the window.

    Raises:
        ValueError: ``M`` is negative, or the dtype is another than float32 or float64.
    """
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout not in (None, "strided"):
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    kind = chosen_type(dtype, device)
    if kind.dtype.name not in ("float32", "float64"):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {kind.dtype}")
    return kind


def _places(start: float, end: float, M: int, kind: Any, requires_grad: bool) -> Tensor:
    return linspace(
        start, end, M, dtype=kind.dtype, device=kind.device, requires_grad=requires_grad
    )


def _short(M: int, kind: Any, requires_grad: bool) -> Tensor:
    """The window of none or one element."""
    return finished(kind.xp.ones((M,), kind.array_dtype), kind, requires_grad)


def general_cosine(
    M: int, *, a: Iterable[float], sym: bool = True, dtype: DType | None = None,
    layout: Any = None, device: AnyDevice = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A sum of cosines with weights: ``a[0] - a[1] cos(t) + a[2] cos(2 t) - …``.

    Raises:
        TypeError, ValueError: ``a`` is no sequence, or empty.

    >>> import devgrad
    >>> devgrad.signal.windows.general_cosine(3, a=[0.5, 0.5])
    tensor([0., 1., 0.])
    """
    kind = _checked("general_cosine", M, dtype, layout, device)
    if M < 2:
        return _short(M, kind, requires_grad)
    if not isinstance(a, Iterable):
        raise TypeError("Coefficients must be a list/tuple")
    weights = list(a)
    if not weights:
        raise ValueError("Coefficients cannot be empty")
    step = 2 * math.pi / (M - 1 if sym else M)
    t = _places(0.0, (M - 1) * step, M, kind, requires_grad)
    cos = FUNCTIONS[""]["cos"]
    total = cos(t * 0.0) * weights[0]
    for i, weight in enumerate(weights[1:], 1):
        total = total + cos(t * i) * ((-1) ** i * weight)
    return total


def general_hamming(M: int, *, alpha: float = 0.54, **options: Any) -> Tensor:
    """``alpha - (1 - alpha) cos(t)``; the options are those of `general_cosine`.

    >>> import devgrad
    >>> devgrad.signal.windows.general_hamming(3, alpha=0.75)
    tensor([0.5000, 1.0000, 0.5000])
    """
    return general_cosine(M, a=(alpha, 1.0 - alpha), **options)


def hamming(M: int, **options: Any) -> Tensor:
    """The Hamming window, ``0.54 - 0.46 cos(t)``.

    >>> import devgrad
    >>> devgrad.signal.windows.hamming(3)
    tensor([0.0800, 1.0000, 0.0800])
    """
    return general_cosine(M, a=(0.54, 1.0 - 0.54), **options)


def hann(M: int, **options: Any) -> Tensor:
    """The Hann window, ``(1 - cos(t)) / 2``.

    >>> import devgrad
    >>> devgrad.signal.windows.hann(4, sym=False)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return general_cosine(M, a=(0.5, 0.5), **options)


def blackman(M: int, **options: Any) -> Tensor:
    """The Blackman window, of three cosines.

    >>> import devgrad
    >>> devgrad.signal.windows.blackman(3).round(decimals=3)
    tensor([-0.,  1., -0.])
    """
    return general_cosine(M, a=(0.42, 0.5, 0.08), **options)


def nuttall(M: int, **options: Any) -> Tensor:
    """Nuttall's window, of four cosines, with a continuous first derivative.

    >>> import devgrad
    >>> devgrad.signal.windows.nuttall(3).shape
    torch.Size([3])
    """
    return general_cosine(M, a=(0.3635819, 0.4891775, 0.1365995, 0.0106411), **options)


def bartlett(
    M: int, *, sym: bool = True, dtype: DType | None = None, layout: Any = None,
    device: AnyDevice = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A triangle, from zero to one and back.

    >>> import devgrad
    >>> devgrad.signal.windows.bartlett(5)
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    kind = _checked("bartlett", M, dtype, layout, device)
    if M < 2:
        return _short(M, kind, requires_grad)
    step = 2 / (M - 1 if sym else M)
    k = _places(-1.0, -1.0 + (M - 1) * step, M, kind, requires_grad)
    return 1 - FUNCTIONS[""]["abs"](k)


def cosine(
    M: int, *, sym: bool = True, dtype: DType | None = None, layout: Any = None,
    device: AnyDevice = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Half a wave of the sine.

    >>> import devgrad
    >>> devgrad.signal.windows.cosine(3)
    tensor([0.5000, 1.0000, 0.5000])
    """
    kind = _checked("cosine", M, dtype, layout, device)
    if M == 0:
        return _short(M, kind, requires_grad)
    step = math.pi / (M if sym or M == 1 else M + 1)
    k = _places(0.5 * step, (0.5 + M - 1) * step, M, kind, requires_grad)
    return FUNCTIONS[""]["sin"](k)


def exponential(
    M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True,
    dtype: DType | None = None, layout: Any = None, device: AnyDevice = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """``exp(-abs(n - center) / tau)``; the ``center`` is in the middle, unless it is given.

    Raises:
        ValueError: ``tau`` is not positive, or ``center`` is given for a symmetric window.

    >>> import devgrad
    >>> devgrad.signal.windows.exponential(3)
    tensor([0.3679, 1.0000, 0.3679])
    """
    kind = _checked("exponential", M, dtype, layout, device)
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    if M == 0:
        return _short(M, kind, requires_grad)
    if center is None:
        center = (M - 1 if sym or M == 1 else M) / 2
    k = _places(-center / tau, (M - 1 - center) / tau, M, kind, requires_grad)
    return FUNCTIONS[""]["exp"](-FUNCTIONS[""]["abs"](k))


def gaussian(
    M: int, *, std: float = 1.0, sym: bool = True, dtype: DType | None = None,
    layout: Any = None, device: AnyDevice = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """``exp(-n² / (2 std²))``, n from the middle.

    Raises:
        ValueError: ``std`` is not positive.

    >>> import devgrad
    >>> devgrad.signal.windows.gaussian(3)
    tensor([0.6065, 1.0000, 0.6065])
    """
    kind = _checked("gaussian", M, dtype, layout, device)
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    if M == 0:
        return _short(M, kind, requires_grad)
    start = -(M - 1 if sym or M == 1 else M) / 2
    step = 1 / (std * math.sqrt(2))
    k = _places(start * step, (start + M - 1) * step, M, kind, requires_grad)
    return FUNCTIONS[""]["exp"](-(k * k))


def kaiser(
    M: int, *, beta: float = 12.0, sym: bool = True, dtype: DType | None = None,
    layout: Any = None, device: AnyDevice = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The Kaiser window: of all with as narrow a peak, nearly all the energy is in the peak.

    Raises:
        ValueError: ``beta``, which says how narrow the window is, is negative.

    >>> import devgrad
    >>> devgrad.signal.windows.kaiser(3, beta=0.0)
    tensor([1., 1., 1.])
    """
    kind = _checked("kaiser", M, dtype, layout, device)
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    if M < 2:
        return _short(M, kind, requires_grad)
    # In the dtype of the window, so that beta² - k² is not negative at the ends.
    limit = kind.array_dtype.type(beta)
    end = min(limit, -limit + (M - 1) * (2 * limit / (M - 1 if sym else M)))
    k = _places(float(-limit), float(end), M, kind, requires_grad)
    i0 = FUNCTIONS[""]["i0"]
    top = finished(kind.xp.full((), limit, kind.array_dtype), kind, False)
    return i0(FUNCTIONS[""]["sqrt"](top * top - k * k)) / i0(top)
