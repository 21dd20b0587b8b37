"""``devgrad.fft``: discrete Fourier transforms. The operations are declared in ``ops/``."""

from __future__ import annotations

from typing import Any

from ._filling import arange, chosen_type, finished, into, only_strided
from ._tensor import Tensor
from .device import DType
from .ops import FUNCTIONS, load_all
from .ops._arguments import explained
from .ops._op import AnyDevice

load_all()

__all__: list[str] = ["fftfreq", "rfftfreq", *sorted(FUNCTIONS["fft"])]


def _frequencies(
    low: int, high: int, shift: int, n: int, d: float, out: Any, dtype: Any, layout: Any,
    device: Any, requires_grad: Any,
) -> Tensor:  # fmt: skip
    """The whole numbers from ``low`` up to ``high``, those from ``shift`` on first, over n d."""
    only_strided("fftfreq", layout)
    kind = chosen_type(dtype, device)
    numbers = arange(low, high, device=kind.device)._array
    if shift:
        numbers = kind.xp.concatenate([numbers[shift:], numbers[:shift]])
    array = (numbers * (1 / (n * d))).astype(kind.array_dtype)
    return into(out, finished(array, kind, requires_grad))


@explained
def fftfreq(
    n: int, d: float = 1.0, *, out: Tensor | None = None, dtype: DType | None = None,
    layout: Any = None, device: AnyDevice = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of `fft`, in its order: zero, the positive ones, the negative ones.

    Args:
        n: how many elements are transformed.
        d: how far apart they were taken, in seconds for a result in hertz.

    >>> import devgrad
    >>> devgrad.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    return _frequencies(
        -(n // 2), (n + 1) // 2, n // 2, n, d, out, dtype, layout, device, requires_grad
    )


@explained
def rfftfreq(
    n: int, d: float = 1.0, *, out: Tensor | None = None, dtype: DType | None = None,
    layout: Any = None, device: AnyDevice = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of `rfft`, as `fftfreq` but without the negative ones.

    >>> import devgrad
    >>> devgrad.fft.rfftfreq(4)
    tensor([0.0000, 0.2500, 0.5000])
    """
    return _frequencies(0, n // 2 + 1, 0, n, d, out, dtype, layout, device, requires_grad)


def __getattr__(name: str) -> Any:
    try:
        return FUNCTIONS["fft"][name]
    except KeyError:
        raise AttributeError(f"module 'devgrad.fft' has no attribute '{name}'") from None
