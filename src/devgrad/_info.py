"""The numerical limits of dtypes."""

from __future__ import annotations

from typing import Any

from .device import CPU, DType, get_default_dtype
from .ops._arguments import as_dtype, wrong_argument

__all__ = ["finfo", "iinfo"]


def _dtype(name: str, value: Any) -> DType:
    if not isinstance(value, (DType, type)):
        raise wrong_argument(name, "type", 1, "torch.dtype", value)
    return as_dtype(value)


class finfo:
    """The limits of a floating-point dtype (default: the default dtype).

    >>> import devgrad
    >>> devgrad.finfo(devgrad.float16).max
    65504.0
    """

    def __init__(self, type: DType | None = None) -> None:
        chosen = get_default_dtype() if type is None else _dtype("finfo", type)
        if chosen.category < 2:
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle "
                f"'torch.finfo' of {chosen}"
            )
        info: Any = CPU.xp.finfo(chosen.array_dtype)
        self.bits = int(info.bits)
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.smallest_normal)
        self.resolution = float(info.resolution)
        self.dtype = chosen.to_real().name

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo:
    """The limits of an integer dtype.

    >>> import devgrad
    >>> devgrad.iinfo(devgrad.int8).max
    127
    """

    def __init__(self, type: DType) -> None:
        type = _dtype("iinfo", type)
        if type.category != 1:
            raise TypeError(
                "torch.iinfo() requires an integer input type. Use torch.finfo to handle "
                f"'torch.iinfo' of {type}"
            )
        info: Any = CPU.xp.iinfo(type.array_dtype)
        self.bits, self.max, self.min = int(info.bits), int(info.max), int(info.min)
        self.dtype = type.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
