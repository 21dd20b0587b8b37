"""Memory on the CPU: what is freed is kept and used again.

NumPy takes each array from ``malloc``. glibc hands large blocks straight back to the system when
they are freed, and the next array of that size is paid for with page faults, which cost several
times what the arithmetic does. glibc can be told to keep them; see ``docs/performance.md``.
"""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["keep_freed_memory"]

# The options' numbers in <malloc.h>.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3

_MIB = 1 << 20
_LARGEST_KEPT = 128 * _MIB  # larger arrays come from the system, and go back to it, one by one
_LARGEST_KEPT_BY_OLD = 32 * _MIB  # what glibc before 2.35 allows
_MOST_KEPT = 1024 * _MIB  # at the end of the heap, or an eighth of the machine's memory
_AHEAD = 16 * _MIB  # the step in which the heap grows, and what is left when it shrinks


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory, within bounds; whether it was told.

    Not where ``DEVGRAD_KEEP_MEMORY=0`` is set, where glibc's own variables say otherwise, or where
    the C library is another one.
    """
    if not sys.platform.startswith("linux") or os.environ.get("DEVGRAD_KEEP_MEMORY") == "0":
        return False
    if _user_decided():
        return False
    try:
        library = ctypes.CDLL(None)
        _ = library.gnu_get_libc_version  # others have a mallopt of another meaning, or none
        mallopt = library.mallopt
    except (OSError, AttributeError):
        return False
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    kept = mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
    if not kept:
        kept = mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BY_OLD)
    mallopt(_M_TRIM_THRESHOLD, min(_MOST_KEPT, max(machine // 8, _AHEAD)))
    mallopt(_M_TOP_PAD, _AHEAD)
    return bool(kept)


def _user_decided() -> bool:
    """Whether an environment variable of glibc's sets these options already."""
    variables = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_")
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    names = ("trim_threshold", "mmap_threshold", "top_pad")
    return any(name in os.environ for name in variables) or any(
        f"glibc.malloc.{name}" in tunables for name in names
    )
