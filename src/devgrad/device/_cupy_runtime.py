"""CUDA's runtime through CuPy: devices, streams, memory, copies between host and devices.

`RUNTIME` is what the CuPy namespace has of it; ``devgrad.cuda`` is the face. Streams and events are
CuPy's own objects, opaque to the layers above.
"""

from __future__ import annotations

import os
import re
import weakref
from collections import deque
from typing import Any

import cupy
import cupyx
import numpy

from ._cupy_kernels import philox_fill
from ._memory import OutOfMemoryError, in_units

__all__ = ["RUNTIME", "Runtime"]

_runtime = cupy.cuda.runtime
_OUT_OF_MEMORY = 2  # cudaErrorMemoryAllocation


class OnDevice:
    """``with OnDevice(1):`` what is launched and allocated inside is on device number 1.

    CuPy runs everything on the current device, also what is given arrays of another. Running out of
    memory inside is reported in PyTorch's words.
    """

    __slots__ = ("before", "index")

    def __init__(self, index: int) -> None:
        self.index = index

    def __enter__(self) -> None:
        before = self.before = _runtime.getDevice()
        if before != self.index:
            _runtime.setDevice(self.index)

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        found = None if error is None else explained(error)
        if self.before != self.index:
            _runtime.setDevice(self.before)
        if found is not None:
            raise found from None


def explained(error: BaseException) -> RuntimeError | None:
    """An error of CUDA in PyTorch's words, and then in ours; None for other errors."""
    text = _out_of_memory(error)
    if text is not None:
        return OutOfMemoryError(text)
    if not isinstance(error, _runtime.CUDARuntimeError):
        return None
    return RuntimeError(
        f"CUDA error: {str(error).partition(': ')[2] or error}\nCUDA kernel errors might be "
        "asynchronously reported at some other API call, so the stacktrace below might be "
        "incorrect.\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1: the error then comes "
        "from the line that made it. devgrad.cuda.set_debug() checks indices. After most of these "
        f"errors ({str(error).partition(':')[0]}) the GPU can be used again by a new process only"
    )


def _out_of_memory(error: BaseException) -> str | None:
    """What to say of an exhausted GPU, the current one; None if that is not the error."""
    if isinstance(error, cupy.cuda.memory.OutOfMemoryError):
        size = getattr(error, "_size", None)
        if size is None:
            found = re.search(r"allocating ([\d,]+) bytes", str(error))
            size = int(found[1].replace(",", "")) if found else 0
    elif getattr(error, "status", None) == _OUT_OF_MEMORY and isinstance(
        error, _runtime.CUDARuntimeError
    ):
        size = 0  # what was asked for is not said
    else:
        return None
    pool = cupy.get_default_memory_pool()
    free, total = _runtime.memGetInfo()
    tried = f" Tried to allocate {in_units(size)}." if size else ""
    limit = pool.get_limit()
    bound = f" CuPy's pool may take {in_units(limit)} at most (set_limit)." if limit else ""
    return (
        f"CUDA out of memory.{tried} GPU {_runtime.getDevice()} has a total capacity of "
        f"{in_units(total)} of which {in_units(free)} is free. Of the memory that this process has "
        f"taken, {in_units(pool.used_bytes())} is in use by arrays, and "
        f"{in_units(pool.free_bytes())} is kept for reuse.{bound} No tensor was changed. Smaller "
        "batches, no_grad() around what needs no gradient, and deleting results (each holds on to "
        "the graph that it came from) need less"
    )


# --- between host and devices ---------------------------------------------------------------------

_in_flight: deque[tuple[Any, Any]] = deque()  # events, and the memory in use until then


def _hold(array: Any, stream: Any = None) -> None:
    """Keep memory alive until what a stream (default: the current one) has to do by now is done."""
    while _in_flight and _in_flight[0][0].done:
        _in_flight.popleft()
    event = cupy.cuda.Event(disable_timing=True)
    event.record(stream or cupy.cuda.get_current_stream())
    _in_flight.append((event, array))


def hold_for(owner: Any, array: Any, stream: Any) -> None:
    """When ``owner`` goes, keep its array's memory until ``stream`` has done its work of then.

    CuPy would give it to the next array of the stream that it was allocated in.
    """

    def hold() -> None:
        with OnDevice(array.device.id):
            _hold(array, stream)

    weakref.finalize(owner, hold).atexit = False


def from_host(array: Any, index: int, non_blocking: bool = False) -> Any:
    """The NumPy array ``array`` on a device.

    ``array`` may be changed at once after this, as CuPy copies it by way of pinned memory of its
    own; with ``non_blocking``, and ``array`` in pinned memory, only when the stream is done.
    """
    with OnDevice(index):
        if non_blocking and array.nbytes and is_pinned(array):
            made = cupy.empty(array.shape, array.dtype)
            source = numpy.ascontiguousarray(array)
            made.set(source)
            _hold(source)
            return made
        return cupy.asarray(array)


def to_host(array: Any, non_blocking: bool = False) -> Any:
    """A NumPy array of what ``array`` holds.

    With ``non_blocking`` it lies in pinned memory, and is right once the stream is done.
    """
    with OnDevice(array.device.id):
        if not non_blocking or not array.nbytes:
            return array.get(order="A")
        made = _pinned(array.shape, array.dtype)
        cupy.ascontiguousarray(array).get(out=made, blocking=False)
        _hold(made)
    return made


def fetch(array: Any, target: Any) -> bool:
    """Start copying ``array`` into a NumPy array, if that is pinned and looks the same."""
    if (
        array.shape != target.shape
        or array.dtype != target.dtype
        or not target.flags.c_contiguous
        or not is_pinned(target)
    ):
        return False
    with OnDevice(array.device.id):
        cupy.ascontiguousarray(array).get(out=target, blocking=False)
        _hold(target)
    return True


def to_device(array: Any, index: int) -> Any:
    """A copy of ``array`` on another device, in the order of both devices' current streams."""
    source = array.device.id
    with OnDevice(source):
        array = cupy.ascontiguousarray(array)
        ready = _recorded()
    with OnDevice(index):
        cupy.cuda.get_current_stream().wait_event(ready)
        made = array.copy()
        done = _recorded()
    with OnDevice(source):  # where the memory may be given to another array as soon as this returns
        cupy.cuda.get_current_stream().wait_event(done)
    return made


def _recorded() -> Any:
    return cupy.cuda.get_current_stream().record(cupy.cuda.Event(disable_timing=True))


def _pinned(shape: tuple[int, ...], dtype: Any) -> Any:
    count = 1
    for n in shape:
        count *= n
    memory = cupy.cuda.alloc_pinned_memory(max(count * dtype.itemsize, 1))
    return numpy.frombuffer(memory, dtype, count).reshape(shape)


def pinned(array: Any) -> Any:
    """A copy of a NumPy array in page-locked memory, which the GPU can read and write by itself."""
    made = _pinned(array.shape, array.dtype)
    made[...] = array
    return made


def is_pinned(array: Any) -> bool:
    """Whether a NumPy array lies in page-locked memory."""
    if not array.nbytes:
        return False
    return bool(cupy.cuda.pinned_memory.is_memory_pinned(array.__array_interface__["data"][0]))


# --- other libraries' arrays ------------------------------------------------------------------


class _Shared:
    """Another library's array without its stream, which CuPy would have the host wait for."""

    def __init__(self, owner: Any, interface: dict[str, Any]) -> None:
        self.owner = owner  # who keeps the memory
        self.__cuda_array_interface__ = {**interface, "stream": None}


def from_cuda_array(array: Any) -> Any:
    """A CuPy array over the memory of an object with ``__cuda_array_interface__``.

    The current stream waits for the stream that the object names; the host does not.
    """
    interface = array.__cuda_array_interface__
    made = cupy.asarray(_Shared(array, interface))
    stream = interface.get("stream")
    if stream is not None:
        with OnDevice(made.device.id):
            current = cupy.cuda.get_current_stream()
            if stream != (current.ptr or 1):
                theirs = cupy.cuda.ExternalStream(stream)
                current.wait_event(theirs.record(cupy.cuda.Event(disable_timing=True)))
    return made


# --- devices, streams, memory -----------------------------------------------------------------


class _Peak:
    """Counts what arrays occupy, from the time that it was made, in the thread that made it."""

    def __init__(self) -> None:
        self.now: dict[int, int] = {}
        self.most: dict[int, int] = {}
        hook = type(
            "Hook",
            (cupy.cuda.MemoryHook,),
            {
                "name": "devgrad: peak of memory",
                "malloc_postprocess": lambda hook, **what: self._add(what, 1),
                "free_postprocess": lambda hook, **what: self._add(what, -1),
            },
        )
        self.hook = hook()
        self.hook.__enter__()

    def start(self, index: int, used: int) -> None:
        self.now[index] = self.most[index] = used

    def _add(self, what: dict[str, Any], sign: int) -> None:
        index = what["device_id"]
        if index in self.now and what["mem_ptr"]:  # (none was given out otherwise)
            self.now[index] += sign * what["mem_size"]
            self.most[index] = max(self.most[index], self.now[index])


class Runtime:
    """The questions that ``devgrad.cuda`` asks; a device is always given by its number."""

    def __init__(self) -> None:
        self._peak: _Peak | None = None

    # devices

    def properties(self, index: int) -> dict[str, Any]:
        return dict(_runtime.getDeviceProperties(index))

    def can_access_peer(self, index: int, peer: int) -> bool:
        return index != peer and bool(_runtime.deviceCanAccessPeer(index, peer))

    def versions(self) -> tuple[int, int]:
        """CUDA's version as the driver and as the runtime library have it: 12080 is 12.8."""
        return int(_runtime.driverGetVersion()), int(_runtime.runtimeGetVersion())

    # memory

    def used_bytes(self, index: int) -> int:
        with OnDevice(index):
            return int(cupy.get_default_memory_pool().used_bytes())

    def reserved_bytes(self, index: int) -> int:
        with OnDevice(index):
            return int(cupy.get_default_memory_pool().total_bytes())

    def peak_bytes(self, index: int) -> int:
        """The most that was in use since `reset_peak`; before that, what is reserved."""
        if self._peak is None or index not in self._peak.most:
            return self.reserved_bytes(index)
        return self._peak.most[index]

    def reset_peak(self, index: int) -> None:
        if self._peak is None:
            self._peak = _Peak()
        self._peak.start(index, self.used_bytes(index))

    def memory_limit(self, index: int) -> int:
        with OnDevice(index):
            return int(cupy.get_default_memory_pool().get_limit())

    def set_memory_fraction(self, fraction: float, index: int) -> None:
        with OnDevice(index):
            cupy.get_default_memory_pool().set_limit(fraction=fraction)

    def empty_cache(self) -> None:
        for index in range(device_count()):
            with OnDevice(index):
                cupy.get_default_memory_pool().free_all_blocks()
        cupy.get_default_pinned_memory_pool().free_all_blocks()

    def free_and_total(self, index: int) -> tuple[int, int]:
        with OnDevice(index):
            free, total = _runtime.memGetInfo()
            return int(free), int(total)

    # streams

    def new_stream(self, index: int, priority: int) -> Any:
        with OnDevice(index):
            return cupy.cuda.Stream(non_blocking=True, priority=priority)

    def external_stream(self, pointer: int, index: int) -> Any:
        return cupy.cuda.ExternalStream(pointer, index)

    def default_stream(self) -> Any:
        per_thread = os.environ.get("CUPY_CUDA_PER_THREAD_DEFAULT_STREAM", "0") != "0"
        return cupy.cuda.Stream.ptds if per_thread else cupy.cuda.Stream.null

    def current_stream(self, index: int) -> Any:
        with OnDevice(index):
            return cupy.cuda.get_current_stream()

    def use_stream(self, stream: Any, index: int) -> None:
        with OnDevice(index):
            stream.use()

    def record(self, event: Any, stream: Any, index: int) -> None:
        with OnDevice(index):
            event.record(stream)

    def new_event(self, index: int, timing: bool, blocking: bool, interprocess: bool) -> Any:
        with OnDevice(index):
            return cupy.cuda.Event(blocking, not timing, interprocess)

    def elapsed(self, start: Any, end: Any) -> float:
        return float(cupy.cuda.get_elapsed_time(start, end))


def device_count() -> int:
    """How many devices there are."""
    return int(_runtime.getDeviceCount())


def synchronize(index: int) -> None:
    """Wait for all streams of a device."""
    with OnDevice(index):
        _runtime.deviceSynchronize()


# --- failures that CuPy keeps to itself -------------------------------------------------------


class _Raising:
    """``cupy.linalg``, whose functions raise where a decomposition fails, as NumPy's do.

    CuPy would go on with what the failed decomposition left. Looking waits for the GPU; PyTorch's
    functions do so too.
    """

    def __getattr__(self, name: str) -> Any:
        function = getattr(cupy.linalg, name)
        if not callable(function) or isinstance(function, type):
            return function

        def checked(*args: Any, **options: Any) -> Any:
            with cupyx.errstate(linalg="raise"):
                return function(*args, **options)

        setattr(self, name, checked)
        return checked


RUNTIME: dict[str, Any] = {
    "device_count": device_count,
    "device_in_use": _runtime.getDevice,
    "explained": explained,
    "device_name": lambda index: _runtime.getDeviceProperties(index)["name"].decode(),
    "fetch": fetch,
    "from_host": from_host,
    "hold_for": hold_for,
    "is_pinned": is_pinned,
    "linalg": _Raising(),
    "memory_allocated": lambda index: RUNTIME["runtime"].used_bytes(index),
    "on_device": OnDevice,
    "philox_fill": philox_fill,
    "pinned": pinned,
    "from_cuda_array": from_cuda_array,
    "runtime": Runtime(),
    "synchronize": synchronize,
    "to_device": to_device,
    "to_host": to_host,
    "use_device": _runtime.setDevice,
}
