"""Runs CUDA kernels on the host: their source compiled as C++, with one thread in one block.

`RawModule` is called as CuPy's is. It shows what a kernel computes, not that a GPU agrees:
launches, races and the GPU's arithmetic are not part of it. Without a compiler (g++ or clang++) the
kernels of random numbers are replaced by what they are tested against, their form in NumPy.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy

COMPILER = shutil.which("g++") or shutil.which("clang++")

# What nvcc knows and C++ does not. A kernel must work for any number of threads: here it has one.
_SHIM = """
#include <cmath>
using std::floor;
using std::sqrt;
struct Dim3 { unsigned x, y, z; };
static const Dim3 blockIdx = {0, 0, 0}, threadIdx = {0, 0, 0}, blockDim = {1, 1, 1},
                  gridDim = {1, 1, 1};
#define __device__
#define __global__
"""

_TYPES: dict[type, Any] = {
    numpy.uint64: ctypes.c_uint64, numpy.int64: ctypes.c_int64, numpy.uint32: ctypes.c_uint32,
    numpy.int32: ctypes.c_int32, numpy.float32: ctypes.c_float, numpy.float64: ctypes.c_double,
    numpy.bool_: ctypes.c_bool,
}  # fmt: skip


class RawModule:
    """`cupy.RawModule` on the host, as far as our own kernels need it."""

    def __init__(self, code: str, *, options: tuple[str, ...] = ()) -> None:
        # No fused multiply-add, as with --fmad=false.
        fused = "off" if "--fmad=false" in options else "fast"
        self.library = (
            None if COMPILER is None
            else _library(_SHIM + code, ("-std=c++17", f"-ffp-contract={fused}"))
        )  # fmt: skip

    def get_function(self, name: str) -> Any:
        if self.library is None:
            return functools.partial(_fill, name.rpartition("_")[0])
        function = getattr(self.library, name)
        function.restype = None

        def launch(grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]) -> None:
            assert all(n > 0 for n in (*grid, *block)), "CUDA refuses an empty launch"
            assert len(grid) <= 3
            assert 0 < numpy.prod(block) <= 1024
            function(*map(_argument, args))

        return launch


def _fill(name: str, grid: Any, block: Any, args: tuple[Any, ...]) -> None:
    from devgrad.device import _philox

    out, size, seed, offset, *parameters = args
    array = numpy.empty(int(size), out.dtype)
    _philox.fill(name, array, int(seed), int(offset), *[p.item() for p in parameters])
    ctypes.memmove(out.data.ptr, array.ctypes.data, array.nbytes)


def _argument(value: Any) -> Any:
    if isinstance(value, numpy.generic):
        return _TYPES[type(value)](value.item())
    if isinstance(value, numpy.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    if hasattr(value, "data") and hasattr(value.data, "ptr"):
        return ctypes.c_void_p(value.data.ptr)
    # CuPy would make int64 of a Python int and double of a float: say what is meant.
    raise TypeError(f"pass NumPy scalars or arrays to kernels, not {type(value).__name__}")


@functools.cache
def _library(text: str, options: tuple[str, ...]) -> ctypes.CDLL:
    if COMPILER is None:
        raise RuntimeError("there is no C++ compiler to run kernels on the host")
    folder = Path(tempfile.gettempdir()) / "devgrad-host-kernels"
    folder.mkdir(exist_ok=True)
    key = hashlib.sha256("\0".join((COMPILER, *options, text)).encode()).hexdigest()[:16]
    made = folder / f"{key}.so"
    if not made.exists():
        source, unfinished = folder / f"{key}.cpp", made.with_suffix(f".{id(text)}.tmp")
        source.write_text(text, encoding="utf-8")
        subprocess.run(
            [COMPILER, "-O2", "-shared", "-fPIC", *options, "-o", str(unfinished), str(source)],
            check=True,
            capture_output=True,
        )
        unfinished.replace(made)
    return ctypes.CDLL(str(made))
