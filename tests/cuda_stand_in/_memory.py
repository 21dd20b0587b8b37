"""Devices, streams and memory of the stand-in: what `cupy.cuda` is, in the host's own memory.

Every array of the stand-in lies in a `Memory`, which belongs to one of two devices. Like CuPy's
pool, it hands out multiples of 512 bytes, not cleared: here they hold a pattern that is a large
number in every dtype, so that what was never written shows.

What makes the host wait for the device is counted by `wait`.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import threading
import weakref
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy

DEVICES = 2
ROUND = 512  # bytes: what CuPy's pool rounds up to
TOTAL = 16 << 30  # bytes that a device claims to have

# --- waiting --------------------------------------------------------------------------------------


class HiddenSynchronisation(AssertionError):
    """The host waited for the device where it was not to."""


class _Watch(threading.local):
    waits: Counter[str] | None = None
    forbidden = False


_watch = _Watch()


def wait(what: str) -> None:
    """The host waits for the device here: a copy to the host, or ``synchronize``."""
    if _watch.forbidden:
        raise HiddenSynchronisation(f"{what} makes the host wait for the device")
    if _watch.waits is not None:
        _watch.waits[what] += 1


@contextlib.contextmanager
def waits() -> Iterator[Counter[str]]:
    """Count what makes the host wait for the device, by its name in CuPy."""
    before, _watch.waits = _watch.waits, Counter()
    try:
        yield _watch.waits
    finally:
        _watch.waits = before


@contextlib.contextmanager
def no_waits() -> Iterator[None]:
    """Raise `HiddenSynchronisation` where the host waits for the device."""
    before, _watch.forbidden = _watch.forbidden, True
    try:
        yield
    finally:
        _watch.forbidden = before


# --- devices --------------------------------------------------------------------------------------


class _Current(threading.local):
    device = 0

    def __init__(self) -> None:
        self.stack: list[int] = []
        self.streams: dict[int, list[Any]] = {}


_current = _Current()


def current_device() -> int:
    """The number of the device on which this thread launches and allocates."""
    return _current.device


class CUDARuntimeError(RuntimeError):
    """CuPy's error for what the CUDA runtime refuses."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


def _check_device(index: int) -> None:
    if not 0 <= index < DEVICES:
        raise CUDARuntimeError(101, "cudaErrorInvalidDevice: invalid device ordinal")


class Device:
    """`cupy.cuda.Device`: inside ``with``, arrays are made and kernels run on it."""

    def __init__(self, device: int | None = None) -> None:
        self.id = _current.device if device is None else int(device)

    def __int__(self) -> int:
        return self.id

    def __enter__(self) -> Device:
        _check_device(self.id)
        _current.stack.append(_current.device)
        _current.device = self.id
        return self

    def __exit__(self, *exc: object) -> None:
        _current.device = _current.stack.pop()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def use(self) -> None:
        _check_device(self.id)
        _current.device = self.id

    def synchronize(self) -> None:
        wait("Device.synchronize")

    @property
    def compute_capability(self) -> str:
        return "90"

    @property
    def attributes(self) -> dict[str, int]:
        return {"MultiProcessorCount": 4, "ComputeCapabilityMajor": 9, "ComputeCapabilityMinor": 0}

    @property
    def mem_info(self) -> tuple[int, int]:
        with self:
            return _mem_get_info()

    @property
    def pci_bus_id(self) -> str:
        return f"0000:0{self.id}:00.0"


# --- memory ---------------------------------------------------------------------------------------


class OutOfMemoryError(MemoryError):
    """CuPy's: more was asked for than the pool may have."""

    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        text = f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes"
        super().__init__(text + (f", limit set to: {limit:,} bytes)." if limit else ")."))
        self._size, self._total, self._limit = size, total, limit


class MemoryHook:
    """`cupy.cuda.MemoryHook`: is told of what the pool gives out, inside ``with``."""

    name = "MemoryHook"

    def __enter__(self) -> MemoryHook:
        if self.name in _hooks:
            raise KeyError(f"memory hook {self.name} already exists")
        _hooks[self.name] = self
        return self

    def __exit__(self, *exc: object) -> None:
        del _hooks[self.name]

    def malloc_postprocess(self, **what: Any) -> None: ...

    def free_postprocess(self, **what: Any) -> None: ...


_hooks: dict[str, MemoryHook] = {}


class Memory:
    """Memory of a device, as CuPy's pool gives it out."""

    def __init__(self, size: int) -> None:
        rounded = -(-size // ROUND) * ROUND
        pool = _pools[_current.device]
        if rounded > pool.limit - pool.used:
            raise OutOfMemoryError(rounded, pool.used, pool.limit if pool.limit < TOTAL else 0)
        self.device_id = _current.device
        self.size = rounded
        self.block = numpy.full(rounded, 0x7C, numpy.uint8)
        self.ptr = self.block.ctypes.data if rounded else 0
        pool.used += rounded
        pool.most = max(pool.most, pool.used)
        for hook in _hooks.values():
            hook.malloc_postprocess(
                device_id=self.device_id, size=size, mem_size=rounded, mem_ptr=self.ptr, pmem_id=0
            )

    def __del__(self) -> None:
        if hasattr(self, "block"):
            _pools[self.device_id].used -= self.size
            for hook in _hooks.values():
                hook.free_postprocess(
                    device_id=self.device_id, mem_size=self.size, mem_ptr=self.ptr, pmem_id=0
                )

    @property
    def device(self) -> Device:
        return Device(self.device_id)


class UnownedMemory:
    """`cupy.cuda.UnownedMemory`: memory that something else keeps alive."""

    def __init__(self, ptr: int, size: int, owner: Any, device_id: int = -1) -> None:
        self.ptr, self.size, self.owner = ptr, size, owner
        self.device_id = _current.device if device_id == -1 else device_id
        self.block = numpy.empty(0, numpy.uint8)
        if size:
            raw = (ctypes.c_uint8 * size).from_address(ptr)
            self.block = numpy.frombuffer(raw, numpy.uint8)

    @property
    def device(self) -> Device:
        return Device(self.device_id)


class MemoryPointer:
    """`cupy.cuda.MemoryPointer`: a place in a `Memory`."""

    def __init__(self, mem: Memory | UnownedMemory, offset: int) -> None:
        self.mem = mem
        self.ptr = mem.ptr + offset

    @property
    def device_id(self) -> int:
        return self.mem.device_id

    @property
    def device(self) -> Device:
        return Device(self.mem.device_id)

    def __int__(self) -> int:
        return self.ptr

    def __add__(self, offset: int) -> MemoryPointer:
        return MemoryPointer(self.mem, self.ptr - self.mem.ptr + offset)

    def __sub__(self, offset: int) -> MemoryPointer:
        return self + -offset

    def copy_from_host(self, mem: Any, size: int) -> None:
        wait("MemoryPointer.copy_from_host")
        self._move(self.ptr, _address(mem), size)

    def copy_from_host_async(self, mem: Any, size: int, stream: Any = None) -> None:
        self._move(self.ptr, _address(mem), size)

    def copy_to_host(self, mem: Any, size: int) -> None:
        wait("MemoryPointer.copy_to_host")
        self._move(_address(mem), self.ptr, size)

    def copy_to_host_async(self, mem: Any, size: int, stream: Any = None) -> None:
        self._move(_address(mem), self.ptr, size)

    def copy_from_device(self, src: MemoryPointer, size: int) -> None:
        self._move(self.ptr, src.ptr, size)

    def copy_from_device_async(self, src: MemoryPointer, size: int, stream: Any = None) -> None:
        self._move(self.ptr, src.ptr, size)

    def memset(self, value: int, size: int) -> None:
        self.memset_async(value, size)

    def memset_async(self, value: int, size: int, stream: Any = None) -> None:
        if size:
            ctypes.memset(self.ptr, value, size)

    def _move(self, target: int, source: int, size: int) -> None:
        if size:
            ctypes.memmove(target, source, size)


def _address(mem: Any) -> int:
    return mem.value if isinstance(mem, ctypes.c_void_p) else int(getattr(mem, "ptr", mem))


class PinnedMemoryPointer(bytearray):
    """`cupy.cuda.PinnedMemoryPointer`: page-locked host memory. It has the buffer protocol."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        _pinned.add(self)

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other

    @property
    def ptr(self) -> int:
        return ctypes.addressof((ctypes.c_char * len(self)).from_buffer(self))

    def size(self) -> int:
        return len(self)


_pinned: weakref.WeakSet[PinnedMemoryPointer] = weakref.WeakSet()


def _is_memory_pinned(address: int) -> bool:
    return any(block.ptr <= address < block.ptr + len(block) for block in _pinned)


class _Pool:
    def __init__(self) -> None:
        self.used = self.most = 0
        self.limit = TOTAL


_pools = [_Pool() for _ in range(DEVICES)]


class MemoryPool:
    """`cupy.cuda.MemoryPool`, of the current device."""

    def used_bytes(self) -> int:
        return _pools[_current.device].used

    def total_bytes(self) -> int:
        return _pools[_current.device].most

    def free_bytes(self) -> int:
        return self.total_bytes() - self.used_bytes()

    def n_free_blocks(self) -> int:
        return int(self.free_bytes() > 0)

    def free_all_blocks(self, stream: Any = None) -> None:
        pool = _pools[_current.device]
        pool.most = pool.used

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        limit = size if size is not None else int(TOTAL * (fraction or 0))
        _pools[_current.device].limit = limit or TOTAL

    def get_limit(self) -> int:
        limit = _pools[_current.device].limit
        return 0 if limit == TOTAL else limit

    def malloc(self, size: int) -> MemoryPointer:
        return MemoryPointer(Memory(size), 0)


class PinnedMemoryPool:
    """`cupy.cuda.PinnedMemoryPool`."""

    def malloc(self, size: int) -> PinnedMemoryPointer:
        return PinnedMemoryPointer(size)

    def free_all_blocks(self) -> None:
        pass

    def n_free_blocks(self) -> int:
        return 0


_pool, _pinned_pool = MemoryPool(), PinnedMemoryPool()


def _mem_get_info() -> tuple[int, int]:
    return TOTAL - _pools[_current.device].most, TOTAL


# --- streams --------------------------------------------------------------------------------------

_handles = itertools.count(0x1000, 0x10)


class Stream:
    """`cupy.cuda.Stream`. Whatever is launched here is done at once."""

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False,
        priority: int | None = None,
    ) -> None:  # fmt: skip
        self.device_id = -1 if null or ptds else _current.device
        self.ptr = 0 if null else 2 if ptds else next(_handles)
        self.null, self.ptds = null, ptds
        self.is_non_blocking = non_blocking
        self.priority = priority or 0

    def __eq__(self, other: object) -> bool:
        return hasattr(other, "ptr") and self.ptr == other.ptr

    def __hash__(self) -> int:
        return hash(self.ptr)

    def __repr__(self) -> str:
        return f"<Stream {self.ptr} (device {self.device_id})>"

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.ptr

    def _check(self) -> int:
        if self.device_id not in (-1, _current.device):
            raise RuntimeError(
                "This stream was not created on the current device. Current device: "
                f"{_current.device}. Stream device: {self.device_id}."
            )
        return _current.device

    def __enter__(self) -> Stream:
        _current.streams.setdefault(self._check(), []).append(self)
        return self

    def __exit__(self, *exc: object) -> None:
        _current.streams[_current.device].pop()

    def use(self) -> Stream:
        _current.streams[self._check()] = [self]
        return self

    @property
    def done(self) -> bool:
        return True

    def synchronize(self) -> None:
        wait("Stream.synchronize")

    def record(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        if not event.recorded:
            raise CUDARuntimeError(400, "cudaErrorInvalidResourceHandle: invalid resource handle")

    def add_callback(self, callback: Any, arg: Any) -> None:
        callback(self, 0, arg)

    def launch_host_func(self, callback: Any, arg: Any) -> None:
        callback(arg)

    def is_capturing(self) -> bool:
        return False


class ExternalStream(Stream):
    """`cupy.cuda.ExternalStream`: another library's stream, by its handle."""

    def __init__(self, ptr: int, device_id: int = -1) -> None:
        super().__init__()
        self.ptr, self.device_id = ptr, device_id


Stream.null = Stream(null=True)  # type: ignore[attr-defined]
Stream.ptds = Stream(ptds=True)  # type: ignore[attr-defined]


class Event:
    """`cupy.cuda.Event`."""

    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        self.ptr = next(_handles)
        self.disable_timing = disable_timing
        self.recorded: Stream | None = None
        self.time = 0.0

    @property
    def done(self) -> bool:
        return True

    def record(self, stream: Stream | None = None) -> None:
        import time

        self.recorded = stream or get_current_stream()
        self.time = time.perf_counter()

    def synchronize(self) -> None:
        wait("Event.synchronize")


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    if start_event.recorded is None or end_event.recorded is None:
        raise CUDARuntimeError(400, "cudaErrorInvalidResourceHandle: invalid resource handle")
    return (end_event.time - start_event.time) * 1e3


def get_current_stream(device_id: int = -1) -> Any:
    stack = _current.streams.get(_current.device if device_id == -1 else device_id)
    return stack[-1] if stack else Stream.null  # type: ignore[attr-defined]


# --- the namespace --------------------------------------------------------------------------------


def _set_device(device: int) -> None:
    Device(device).use()


runtime = SimpleNamespace(
    CUDARuntimeError=CUDARuntimeError,
    getDeviceCount=lambda: DEVICES,
    getDevice=current_device,
    setDevice=_set_device,
    deviceSynchronize=lambda: wait("deviceSynchronize"),
    streamSynchronize=lambda stream: wait("streamSynchronize"),
    deviceCanAccessPeer=lambda device, peer: 0,
    memGetInfo=_mem_get_info,
    getDeviceProperties=lambda device: {
        "name": b"the stand-in for CuPy (host memory)", "totalGlobalMem": TOTAL, "major": 9,
        "minor": 0, "multiProcessorCount": 4, "warpSize": 32, "maxThreadsPerBlock": 1024,
    },
    driverGetVersion=lambda: 12090,
    runtimeGetVersion=lambda: 12090,
    is_hip=False,
)  # fmt: skip

cuda = SimpleNamespace(
    Device=Device, Stream=Stream, ExternalStream=ExternalStream, Event=Event, Memory=Memory,
    MemoryPointer=MemoryPointer, UnownedMemory=UnownedMemory, MemoryPool=MemoryPool,
    PinnedMemoryPointer=PinnedMemoryPointer, PinnedMemoryPool=PinnedMemoryPool, runtime=runtime,
    get_current_stream=get_current_stream, get_elapsed_time=get_elapsed_time,
    get_device_id=current_device,
    alloc=lambda size: MemoryPointer(Memory(size), 0),
    alloc_pinned_memory=PinnedMemoryPointer,
    is_available=lambda: True,
    MemoryHook=MemoryHook,
    pinned_memory=SimpleNamespace(is_memory_pinned=_is_memory_pinned),
    memory=SimpleNamespace(
        OutOfMemoryError=OutOfMemoryError, MemoryPointer=MemoryPointer, Memory=Memory,
        UnownedMemory=UnownedMemory, MemoryPool=MemoryPool,
    ),
    device=SimpleNamespace(Device=Device, get_device_id=current_device),
    stream=SimpleNamespace(
        Stream=Stream, ExternalStream=ExternalStream, Event=Event,
        get_current_stream=get_current_stream,
    ),
)  # fmt: skip


def get_default_memory_pool() -> MemoryPool:
    return _pool


def get_default_pinned_memory_pool() -> PinnedMemoryPool:
    return _pinned_pool
