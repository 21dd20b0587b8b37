"""Runs CUDA kernels on the host: their source compiled as C++, one thread in one block.

`RawModule` is called as CuPy's is. It shows what a kernel computes, not that a GPU agrees: the
GPU's arithmetic is not part of it. With ``threads=True`` a launch has its blocks, one after the
other, and the threads of a block as threads of the host, which meet at ``__syncthreads``: what they
do together is shown then, slowly. Without a compiler (g++ or clang++) the kernels of random numbers
are replaced by what they are tested against, their form in NumPy; there are no others.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy

COMPILER = shutil.which("g++") or shutil.which("clang++")

# What nvcc knows and C++ does not.
_SHIM = """
#include <cmath>
#include <mutex>
using std::erfc; using std::exp; using std::floor; using std::log; using std::sqrt; using std::tanh;
struct Dim3 { unsigned x, y, z; };
#define __device__
#define __global__
#define __shared__ static
template <typename T> T atomicAdd(T* place, T value) {
    static std::mutex turn;
    std::lock_guard<std::mutex> held(turn);
    T before = *place;
    *place = before + value;
    return before;
}
"""

# A kernel must work for any number of threads: here it has one.
_ALONE = """
static const Dim3 blockIdx = {0, 0, 0}, threadIdx = {0, 0, 0}, blockDim = {1, 1, 1},
                  gridDim = {1, 1, 1};
inline void __syncthreads() {}
"""

_TOGETHER = """
#include <pthread.h>
static thread_local Dim3 blockIdx, threadIdx;
static Dim3 blockDim, gridDim;
static pthread_barrier_t barrier;
inline void __syncthreads() { pthread_barrier_wait(&barrier); }
extern "C" void host_launch(unsigned gx, unsigned gy, unsigned bx, unsigned by) {
    gridDim = {gx, gy, 1};
    blockDim = {bx, by, 1};
    pthread_barrier_init(&barrier, 0, bx * by);
}
extern "C" void host_thread(unsigned gx, unsigned gy, unsigned tx, unsigned ty) {
    blockIdx = {gx, gy, 0};
    threadIdx = {tx, ty, 0};
}
extern "C" void host_done() { pthread_barrier_destroy(&barrier); }
"""

_TYPES: dict[type, Any] = {
    numpy.uint64: ctypes.c_uint64, numpy.int64: ctypes.c_int64, numpy.uint32: ctypes.c_uint32,
    numpy.int32: ctypes.c_int32, numpy.float32: ctypes.c_float, numpy.float64: ctypes.c_double,
    numpy.bool_: ctypes.c_bool,
}  # fmt: skip


class RawModule:
    """`cupy.RawModule` on the host, as far as our own kernels need it."""

    def __init__(self, code: str, *, options: tuple[str, ...] = (), threads: bool = False) -> None:
        self.threads = threads
        shim = _SHIM + (_TOGETHER if threads else _ALONE)
        # No fused multiply-add, as with --fmad=false.
        fused = "off" if "--fmad=false" in options else "fast"
        self.library = (
            None if COMPILER is None
            else _library(shim + code, ("-std=c++17", f"-ffp-contract={fused}", "-pthread"))
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
            values = [_argument(value) for value in args]
            if self.threads:
                _together(self.library, function, (*grid, 1)[:2], (*block, 1)[:2], values)
            else:
                function(*values)

        return launch


def _together(
    library: Any, function: Any, grid: tuple[int, ...], block: tuple[int, ...], values: Any
) -> None:
    """A launch with all its threads; its blocks come one after the other."""
    library.host_launch(*grid, *block)

    def run(x: int, y: int) -> None:
        for block_y in range(grid[1]):
            for block_x in range(grid[0]):
                library.host_thread(block_x, block_y, x, y)
                function(*values)

    threads = [
        threading.Thread(target=run, args=(x, y)) for x in range(block[0]) for y in range(block[1])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    library.host_done()


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
