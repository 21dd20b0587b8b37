"""What a deep graph holds in memory, and whether it gives it back without the collector."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import re
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.registry import Metric, Probe, workload

MIB = 2.0**20


def resident() -> float | None:
    """This process's resident memory now, in bytes; None where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
        return float(int(pages) * os.sysconf("SC_PAGE_SIZE"))
    except OSError:
        pass
    try:
        import psutil
    except ImportError:
        return None
    return float(psutil.Process().memory_info().rss)


def peak_resident() -> float | None:
    """The most resident memory that this process ever had, in bytes; None where unknown."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
        if found:
            return int(found[1]) * 1024.0
    try:
        import resource
    except ImportError:
        return None
    peak = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak if sys.platform == "darwin" else peak * 1024


def trim() -> None:
    """Have glibc return what it keeps of freed memory, so that what stays is still in use."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def clear_free_lists() -> None:
    """Have Python return the few thousand tuples and the like that it keeps to use again.

    A collection does that; the objects are frozen first, so that it finds nothing to collect and
    garbage that only the collector could free stays to be counted.
    """
    gc.freeze()
    gc.collect()


@workload(
    "deep_memory",
    per="graph",
    metrics=[
        Metric("peak", "MiB", "largest resident memory, above the start"),
        Metric("kept", "MiB", "resident memory left when the names are gone"),
        Metric("objects_left", "/node", "Python objects left when the names are gone"),
        Metric("seconds", "s", "to build and to differentiate"),
    ],
    quick={"depth": 50_000},
    rounds=3,
    fresh=True,
)
def deep_memory(lib: Any, device: Any, *, depth: int = 1_000_000) -> Probe:
    """A graph 1,000,000 nodes deep, the garbage collector off: its memory, and what remains."""

    def build_and_differentiate(depth: int) -> None:
        x = lib.ones(1, device=device, requires_grad=True)
        h = x
        for _ in range(depth // 2):
            h = h + 1.0
            h = h * -1.0
        h.sum().backward()
        expected = (-1.0) ** (depth // 2)
        if x.grad.item() != expected:
            raise ArithmeticError(f"the gradient is {x.grad.item()}, not {expected}")

    def measure() -> dict[str, float | None]:
        build_and_differentiate(100)  # what is made once and kept is not the graph's
        gc.collect()
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            clear_free_lists()
            trim()
            before, objects = resident(), sys.getallocatedblocks()
            start = perf_counter()
            build_and_differentiate(depth)
            seconds = perf_counter() - start
            clear_free_lists()
            left = sys.getallocatedblocks() - objects
            trim()
            after, peak = resident(), peak_resident()
        finally:
            gc.unfreeze()
            if was_enabled:
                gc.enable()
        return {
            "peak": None if peak is None or before is None else (peak - before) / MIB,
            "kept": None if after is None or before is None else (after - before) / MIB,
            "objects_left": left / depth,
            "seconds": seconds,
        }

    return Probe(measure)
