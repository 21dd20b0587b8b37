"""Which devices there are, and which one is meant."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from .._tensor import Tensor
from ..device import (
    Device,
    check_on_cuda,
    checks_on_cuda,
    cuda_is_loaded,
    cuda_problem,
    current_cuda_index,
    resolve,
    set_current_cuda_index,
)

__all__ = [
    "can_device_access_peer", "current_device", "device", "device_count", "device_of",
    "get_device_capability", "get_device_name", "get_device_properties", "init", "is_available",
    "is_bf16_supported", "is_debug", "is_initialized", "number_of", "required", "runtime",
    "set_debug", "set_device", "synchronize",
]  # fmt: skip


def is_available() -> bool:
    """Whether a CUDA device can be used."""
    return cuda_problem() is None


def device_count() -> int:
    """How many CUDA devices can be used; 0 where there is no CUDA."""
    return int(resolve("cuda").xp.device_count()) if is_available() else 0


def required() -> None:
    """Refuse to go on without CUDA.

    Raises:
        AssertionError: there is no CUDA; the text says why.
    """
    problem = cuda_problem()
    if problem is not None:
        raise AssertionError(f"Torch not compiled with CUDA enabled: {problem}")


def init() -> None:
    """Look for CUDA now, not when a device is first asked for.

    Raises:
        AssertionError: there is none; the text says why.
    """
    required()


def is_initialized() -> bool:
    """Whether CUDA has been looked for, and found."""
    return cuda_is_loaded()


def number_of(device: Any) -> int:
    """The number of the device that a number, a name, a `device` or None (the current one) means.

    Raises:
        ValueError: it is no CUDA device.
    """
    if device is None:
        return current_cuda_index()
    if isinstance(device, int):
        return device
    found = Device(device)
    if found.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {found}")
    return current_cuda_index() if found.index is None else found.index


def runtime() -> Any:
    """CUDA's runtime; there must be one."""
    return resolve("cuda").xp.runtime


def current_device() -> int:
    """The number of the device that ``"cuda"`` means in this thread.

    Raises:
        AssertionError: there is no CUDA; the text says why.
    """
    required()
    return current_cuda_index()


def set_device(device: Any) -> None:
    """Choose the device that ``"cuda"`` means in this thread, here and in CuPy.

    Raises:
        RuntimeError: there is no device with that number.
    """
    index = number_of(device)
    if index >= 0:
        _use(index)


def _use(index: int) -> None:
    place = resolve(Device("cuda", index))  # the CPU, after a warning, where there is no CUDA
    if place.type == "cuda":
        set_current_cuda_index(index)
        place.xp.use_device(index)


class device:
    """``with cuda.device(1):`` makes ``"cuda"`` mean that device inside.

    None and negative numbers change nothing.
    """

    def __init__(self, device: Any) -> None:
        self.idx = -1 if device is None else number_of(device)
        self.prev_idx = -1

    def __enter__(self) -> device:
        if self.idx >= 0:
            self.prev_idx = current_cuda_index()
            _use(self.idx)
        return self

    def __exit__(self, *exc: object) -> None:
        if self.idx >= 0:
            _use(self.prev_idx)


class device_of(device):
    """``with cuda.device_of(x):`` makes ``"cuda"`` mean the device of the tensor ``x`` inside.

    Nothing changes if ``x`` is on the CPU.
    """

    def __init__(self, obj: Tensor) -> None:
        super().__init__(obj.device if obj.is_cuda else None)


def synchronize(device: Any = None) -> None:
    """Wait until everything that was started on the device is done."""
    place = resolve(Device("cuda", number_of(device)))
    place.xp.synchronize(place.index)


# --- what a device is -------------------------------------------------------------------------


class _Properties(SimpleNamespace):
    """What CUDA tells about a device; the names are PyTorch's."""

    def __repr__(self) -> str:
        return (
            f"_CudaDeviceProperties(name='{self.name}', major={self.major}, minor={self.minor}, "
            f"total_memory={self.total_memory >> 20}MB, "
            f"multi_processor_count={self.multi_processor_count}, "
            f"L2_cache_size={self.L2_cache_size >> 20}MB)"
        )


# PyTorch's name of a property, and the CUDA runtime's.
_PROPERTIES = {
    "major": "major", "minor": "minor", "total_memory": "totalGlobalMem",
    "multi_processor_count": "multiProcessorCount", "L2_cache_size": "l2CacheSize",
    "warp_size": "warpSize", "is_integrated": "integrated",
    "is_multi_gpu_board": "isMultiGpuBoard",
    "max_threads_per_block": "maxThreadsPerBlock",
    "max_threads_per_multi_processor": "maxThreadsPerMultiProcessor",
    "regs_per_multiprocessor": "regsPerMultiprocessor",
    "shared_memory_per_block": "sharedMemPerBlock",
    "shared_memory_per_block_optin": "sharedMemPerBlockOptin",
    "shared_memory_per_multiprocessor": "sharedMemPerMultiprocessor",
    "pci_bus_id": "pciBusID", "pci_device_id": "pciDeviceID", "pci_domain_id": "pciDomainID",
}  # fmt: skip


def _existing(device: Any) -> tuple[Any, int]:
    required()
    place = resolve(Device("cuda", number_of(device)))
    return place.xp, int(place.index or 0)


def get_device_properties(device: Any = None) -> Any:
    """What CUDA tells about a device: name, total memory, number of multiprocessors, ...

    Raises:
        AssertionError: there is no CUDA. RuntimeError: there is no device with that number.
    """
    xp, index = _existing(device)
    found = xp.runtime.properties(index)
    return _Properties(
        name=xp.device_name(index),
        **{name: found.get(theirs, 0) for name, theirs in _PROPERTIES.items()},
    )


def get_device_name(device: Any = None) -> str:
    """What the device calls itself."""
    xp, index = _existing(device)
    return str(xp.device_name(index))


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The generation of the device: ``(9, 0)`` for a Hopper GPU."""
    found = get_device_properties(device)
    return int(found.major), int(found.minor)


def can_device_access_peer(device: Any, peer_device: Any) -> bool:
    """Whether a device can read another's memory without going through the host."""
    xp, index = _existing(device)
    _, peer = _existing(peer_device)
    return bool(xp.runtime.can_access_peer(index, peer))


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False: neither NumPy nor CuPy has bfloat16."""
    return False


# --- debug mode -------------------------------------------------------------------------------


def set_debug(mode: bool = True) -> None:
    """Check on CUDA what is otherwise only checked on the CPU, at the price of waiting for the GPU.

    Indices out of bounds are then refused with PyTorch's error, where they wrap around silently (or
    count from the end) otherwise; so are probabilities and standard deviations that are none. The
    environment variable ``DEVGRAD_CUDA_DEBUG=1`` turns it on from outside, and so does anomaly
    mode, `autograd.detect_anomaly`, as long as it is on.

    Where there is no GPU everything is checked anyway.
    """
    check_on_cuda("debug", bool(mode))


def is_debug() -> bool:
    """Whether `set_debug` is on."""
    return checks_on_cuda("debug")
