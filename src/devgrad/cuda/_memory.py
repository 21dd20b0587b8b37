"""What CuPy's memory pool, which all tensors come from, tells of a device's memory."""

from __future__ import annotations

from typing import Any

from ..device import Device, cuda_is_loaded, in_units, resolve
from ._devices import is_available, number_of, required, runtime

__all__ = [
    "empty_cache", "get_per_process_memory_fraction", "max_memory_allocated", "max_memory_reserved",
    "mem_get_info", "memory_allocated", "memory_reserved", "memory_stats", "memory_summary",
    "reset_peak_memory_stats", "set_per_process_memory_fraction",
]  # fmt: skip


def _ask(question: str, device: Any) -> int:
    """The pool's answer, in bytes; 0 where there is no CUDA."""
    if not is_available():
        return 0
    index = resolve(Device("cuda", number_of(device))).index
    return int(getattr(runtime(), question)(index))


def memory_allocated(device: Any = None) -> int:
    """The bytes that arrays occupy on the device."""
    return _ask("used_bytes", device)


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that arrays have occupied since `reset_peak_memory_stats`.

    Before its first call nobody counts, as counting takes time at each allocation; the answer is
    then `memory_reserved`, which the peak cannot exceed since the last `empty_cache`. What other
    threads allocate is not counted.
    """
    return _ask("peak_bytes", device)


def reset_peak_memory_stats(device: Any = None) -> None:
    """Count the peak anew, from now on."""
    _ask_nothing("reset_peak", device)


def _ask_nothing(what: str, device: Any) -> None:
    if is_available():
        getattr(runtime(), what)(resolve(Device("cuda", number_of(device))).index)


def memory_reserved(device: Any = None) -> int:
    """The bytes taken from the device: those in use, and those kept for reuse."""
    return _ask("reserved_bytes", device)


def max_memory_reserved(device: Any = None) -> int:
    """As `memory_reserved`, which falls only in `empty_cache`."""
    return memory_reserved(device)


def empty_cache() -> None:
    """Give the memory that is kept for reuse back to the devices."""
    if cuda_is_loaded():
        runtime().empty_cache()


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """The device's free memory and its total memory, in bytes, as the driver counts them.

    Raises:
        AssertionError: there is no CUDA.
    """
    required()
    free, total = runtime().free_and_total(resolve(Device("cuda", number_of(device))).index)
    return free, total


def set_per_process_memory_fraction(fraction: float, device: Any = None) -> None:
    """Let tensors take at most this part of the device's memory.

    Raises:
        ValueError: it is no fraction.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"Invalid fraction value: {fraction}. Allowed range: 0~1")
    if is_available():
        runtime().set_memory_fraction(fraction, resolve(Device("cuda", number_of(device))).index)


def get_per_process_memory_fraction(device: Any = None) -> float:
    """The part of the device's memory that tensors may take."""
    if not is_available():
        return 1.0
    limit = _ask("memory_limit", device)
    return limit / mem_get_info(device)[1] if limit else 1.0


def memory_stats(device: Any = None) -> dict[str, int]:
    """What the pool counts, by PyTorch's names; empty where there is no CUDA."""
    if not is_available():
        return {}
    used, reserved = memory_allocated(device), memory_reserved(device)
    return {
        "allocated_bytes.all.current": used,
        "allocated_bytes.all.peak": max_memory_allocated(device),
        "reserved_bytes.all.current": reserved,
        "reserved_bytes.all.peak": max_memory_reserved(device),
        "inactive_split_bytes.all.current": reserved - used,
    }


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """`memory_stats` and `mem_get_info` as a table.

    Raises:
        AssertionError: there is no CUDA.
    """
    free, total = mem_get_info(device)
    rows = [
        ("in use by arrays", memory_allocated(device)),
        ("most in use", max_memory_allocated(device)),
        ("reserved", memory_reserved(device)),
        ("free on the device", free),
        ("total of the device", total),
    ]
    lines = [f"| {title:<20} | {in_units(size):>12} |" for title, size in rows]
    title = f" CUDA device {number_of(device)} ".center(len(lines[0]) - 2)
    rule = f"|{'-' * (len(lines[0]) - 2)}|"
    return "\n".join([rule, f"|{title}|", rule, *lines, rule])
