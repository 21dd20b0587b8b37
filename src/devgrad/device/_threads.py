"""How many threads NumPy's library for matrices, OpenBLAS, may use.

NumPy has no function for it. The library that its wheels bring along has; where another one is
built in (Accelerate, MKL), its own environment variables decide.
"""

from __future__ import annotations

import functools
import os
import warnings
from typing import Any

import numpy

__all__ = ["get_num_threads", "set_num_threads"]

_NAMES = ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads",
          "openblas_{}_num_threads64_", "openblas_{}_num_threads")  # fmt: skip


@functools.cache
def _openblas() -> tuple[Any, Any] | None:
    """OpenBLAS's functions that get and set the number; None where NumPy brings no OpenBLAS."""
    import ctypes

    package = os.path.dirname(numpy.__file__)
    for folder in (f"{package}.libs", os.path.join(package, ".dylibs")):
        for file in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            if "openblas" not in file:
                continue
            library = ctypes.CDLL(os.path.join(folder, file))  # it is loaded already
            for name in _NAMES:
                try:
                    return library[name.format("get")], library[name.format("set")]
                except AttributeError:
                    pass
    return None


def get_num_threads() -> int:
    """How many threads products of matrices on the CPU use. (All else uses one.)

    >>> import devgrad
    >>> devgrad.get_num_threads() >= 1
    True
    """
    found = _openblas()
    return int(found[0]()) if found else int(os.environ.get("OMP_NUM_THREADS") or 1)


def set_num_threads(num_threads: int) -> None:
    """Let products of matrices on the CPU use so many threads. (All else uses one.)

    Raises:
        RuntimeError: it is no positive int.

    Warns:
        UserWarning: NumPy's library for matrices is not OpenBLAS, and cannot be told.
    """
    if num_threads.__class__ is not int:
        raise RuntimeError(f"set_num_threads expects an int, but got {type(num_threads).__name__}")
    if num_threads <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")
    found = _openblas()
    if found is None:
        warnings.warn(
            "set_num_threads(): this NumPy's library for matrices cannot be told a number of "
            "threads. Set OMP_NUM_THREADS (or MKL_NUM_THREADS, VECLIB_MAXIMUM_THREADS) before "
            "Python starts",
            UserWarning,
            stacklevel=2,
        )
        return
    found[1](num_threads)
