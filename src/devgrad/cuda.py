"""``devgrad.cuda``: which NVIDIA GPUs there are, and waiting for them."""

from __future__ import annotations

from typing import Any

from ._random import default_generator
from .device import (
    Device,
    cuda_problem,
    current_cuda_index,
    resolve,
    set_current_cuda_index,
)

__all__ = [
    "current_device", "device", "device_count", "get_device_name", "is_available", "manual_seed",
    "manual_seed_all", "memory_allocated", "set_device", "synchronize",
]  # fmt: skip


def is_available() -> bool:
    """Whether a CUDA device can be used."""
    return cuda_problem() is None


def device_count() -> int:
    """How many CUDA devices can be used; 0 where there is no CUDA."""
    return int(resolve("cuda").xp.device_count()) if is_available() else 0


def _require() -> None:
    problem = cuda_problem()
    if problem is not None:
        raise AssertionError(f"Torch not compiled with CUDA enabled: {problem}")


def _index(device: Any) -> int:
    _require()
    if isinstance(device, int):
        return device
    index = None if device is None else Device(device).index
    return current_cuda_index() if index is None else index


def current_device() -> int:
    """The number of the device that ``"cuda"`` means.

    Raises:
        AssertionError: there is no CUDA; the text says why.
    """
    return _index(None)


def set_device(device: Any) -> None:
    """Choose the device that ``"cuda"`` means in this thread."""
    index = _index(device)
    resolve(Device("cuda", index))
    set_current_cuda_index(index)


class device:
    """``with cuda.device(1):`` makes ``"cuda"`` mean that device inside."""

    def __init__(self, device: Any) -> None:
        self.index = _index(device)

    def __enter__(self) -> None:
        self._before = current_cuda_index()
        set_current_cuda_index(self.index)

    def __exit__(self, *exc: object) -> None:
        set_current_cuda_index(self._before)


def _ask(question: str, device: Any) -> Any:
    place = resolve(Device("cuda", _index(device)))
    return getattr(place.xp, question)(place.index)


def synchronize(device: Any = None) -> None:
    """Wait until everything that was started on the device is done."""
    _ask("synchronize", device)


def get_device_name(device: Any = None) -> str:
    """What the device calls itself."""
    return str(_ask("device_name", device))


def memory_allocated(device: Any = None) -> int:
    """The bytes that arrays occupy on the device."""
    return int(_ask("memory_allocated", device))


def manual_seed(seed: int) -> None:
    """Seed the random numbers; all devices draw from the one stream."""
    default_generator.manual_seed(seed)


manual_seed_all = manual_seed
