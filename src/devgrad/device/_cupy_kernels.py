"""Launches the kernels of ``kernels/`` through CuPy."""

from __future__ import annotations

from functools import cache
from typing import Any

import cupy
import numpy

from . import _kernels

__all__ = ["kernel", "philox_fill"]

_THREADS = 256
_MOST_BLOCKS = 8192  # each thread takes several elements of what is larger


@cache
def kernel(source: str, function: str) -> Any:
    """A kernel, compiled when it is first launched on a kind of GPU, and kept on disk by CuPy."""
    return _module(source).get_function(function)


@cache
def _module(source: str) -> Any:
    return cupy.RawModule(code=_kernels.source(source), options=_kernels.OPTIONS)


def philox_fill(name: str, out: Any, seed: int, offset: int, *parameters: Any) -> None:
    """As ``_philox.fill``, in one launch on the current device and stream."""
    wide = out.itemsize == 8
    number = numpy.dtype(out.dtype).type if out.dtype.kind == "f" else numpy.uint64
    blocks = -(-out.size // (2 if wide else 4))
    grid = min(-(-blocks // _THREADS), _MOST_BLOCKS)
    kernel("random_fill", f"{name}_{out.dtype.name}")(
        (grid,),
        (_THREADS,),
        (out, *map(numpy.uint64, (out.size, seed, offset)), *map(number, parameters)),
    )
