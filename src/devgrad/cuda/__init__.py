"""``devgrad.cuda``: NVIDIA GPUs, their streams, their memory and their random numbers.

Where there is no GPU, what would only wait, choose or count does nothing (after the one warning of
falling back to the CPU, see `set_device_fallback`), and what has to answer raises. ``python -m
devgrad doctor`` tells why there is none.
"""

from __future__ import annotations

from typing import Any

from ..device import OutOfMemoryError
from . import _generators
from ._devices import (
    can_device_access_peer,
    current_device,
    device,
    device_count,
    device_of,
    get_device_capability,
    get_device_name,
    get_device_properties,
    init,
    is_available,
    is_bf16_supported,
    is_debug,
    is_initialized,
    set_debug,
    set_device,
    synchronize,
)
from ._generators import (
    get_rng_state,
    get_rng_state_all,
    initial_seed,
    manual_seed,
    manual_seed_all,
    seed,
    seed_all,
    set_rng_state,
    set_rng_state_all,
)
from ._memory import (
    empty_cache,
    get_per_process_memory_fraction,
    max_memory_allocated,
    max_memory_reserved,
    mem_get_info,
    memory_allocated,
    memory_reserved,
    memory_stats,
    memory_summary,
    reset_peak_memory_stats,
    set_per_process_memory_fraction,
)
from ._streams import (
    Event,
    ExternalStream,
    Stream,
    StreamContext,
    current_stream,
    default_stream,
    set_stream,
    stream,
)

__all__ = [
    "Event", "ExternalStream", "OutOfMemoryError", "Stream", "StreamContext",
    "can_device_access_peer", "current_device", "current_stream", "default_stream", "device",
    "device_count", "device_of", "empty_cache", "get_device_capability", "get_device_name",
    "get_device_properties", "get_per_process_memory_fraction", "get_rng_state",
    "get_rng_state_all", "init", "initial_seed", "is_available", "is_bf16_supported", "is_debug",
    "is_initialized", "manual_seed", "manual_seed_all", "max_memory_allocated",
    "max_memory_reserved", "mem_get_info", "memory_allocated", "memory_reserved", "memory_stats",
    "memory_summary", "reset_peak_memory_stats", "seed", "seed_all", "set_debug", "set_device",
    "set_per_process_memory_fraction", "set_rng_state", "set_rng_state_all", "set_stream", "stream",
    "synchronize",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "amp":  # loaded when it is first asked for
        import importlib

        return importlib.import_module(".amp", __name__)
    if name == "default_generators":  # one for each device: to count them CUDA must be asked
        return _generators.default_generators()
    raise AttributeError(f"module 'devgrad.cuda' has no attribute '{name}'")
