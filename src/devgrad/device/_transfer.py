"""Arrays from one device to another."""

from __future__ import annotations

from typing import Any

from ._device import CPU, Device, array_namespace

__all__ = ["fetched", "retyped", "transferred"]


def transferred(array: Any, source: Device, target: Device, non_blocking: bool = False) -> Any:
    """``array``, of the device ``source``, on ``target``; for ``non_blocking`` see `Tensor.to`."""
    if source.xp is target.xp:
        return array if source is target else target.xp.to_device(array, target.index)
    if non_blocking:
        if source is CPU:
            return target.xp.from_host(array, target.index, True)
        if target is CPU:
            return source.xp.to_host(array, True)
    return target.xp.from_host(source.xp.to_host(array), target.index)


def retyped(array: Any, device: Device, dtype: Any) -> Any:
    """``array``, of that device, in another dtype."""
    if device.type == "cpu":
        return array.astype(dtype)
    with device.xp.on_device(device.index):
        return array.astype(dtype)


def fetched(source: Any, target: Any) -> bool:
    """Start copying a GPU's array straight into a pinned one of the host, if that is what it is."""
    xp = array_namespace(source)
    if xp is CPU.xp or array_namespace(target) is not CPU.xp:
        return False
    return bool(xp.fetch(source, target))
