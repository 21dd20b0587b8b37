"""Streams, in which a GPU does its work in order, and events, marks in them."""

from __future__ import annotations

from typing import Any

from ..device import Device, cuda_problem, current_cuda_index, resolve
from ._devices import _use, number_of, required, runtime

__all__ = [
    "Event", "ExternalStream", "Stream", "StreamContext", "current_stream", "default_stream",
    "set_stream", "stream",
]  # fmt: skip


class Stream:
    """A sequence of work on a device, independent of other streams.

    Used with ``with cuda.stream(s):``, or ``with s:``. Streams do not wait for one another by
    themselves, nor for the default stream: `wait_stream` and `wait_event` make them.

    Args:
        device: where; default: the current device.
        priority: a lower number goes first.

    Raises:
        RuntimeError: there is no CUDA.
    """

    device: Device
    stream: Any  # CuPy's

    def __init__(self, device: Any = None, priority: int = 0) -> None:
        problem = cuda_problem()
        if problem is not None:
            raise RuntimeError(f"torch.cuda.Stream requires CUDA support: {problem}")
        self.device = resolve(Device("cuda", number_of(device)))
        self.stream = runtime().new_stream(self.device.index, priority)
        self._entered: list[StreamContext] = []

    @classmethod
    def _over(cls, stream: Any, index: int) -> Stream:
        made = object.__new__(cls)
        made.device, made.stream = resolve(Device("cuda", index)), stream
        made._entered = []
        return made

    @property
    def cuda_stream(self) -> int:
        """The handle, as other libraries take it."""
        return int(self.stream.ptr)

    @property
    def device_index(self) -> int:
        """The number of the device."""
        return int(self.device.index or 0)

    @property
    def priority(self) -> int:
        """The lower, the sooner."""
        return int(self.stream.priority)

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.cuda_stream

    def query(self) -> bool:
        """Whether all work so far is done."""
        return bool(self.stream.done)

    def synchronize(self) -> None:
        """Wait, on the host, until all work so far is done."""
        self.stream.synchronize()

    def record_event(self, event: Event | None = None) -> Event:
        """Mark this point of the stream; a new event unless one is given."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Let what is started from now on wait for an event. The host does not wait."""
        event.wait(self)

    def wait_stream(self, stream: Stream) -> None:
        """Let what is started from now on wait for what another stream has to do by now."""
        self.wait_event(stream.record_event())

    def __enter__(self) -> Stream:
        entered = StreamContext(self)
        entered.__enter__()
        self._entered.append(entered)
        return self

    def __exit__(self, *exc: object) -> None:
        self._entered.pop().__exit__()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Stream)
            and self.cuda_stream == other.cuda_stream
            and self.device is other.device
        )

    def __hash__(self) -> int:
        return hash((self.cuda_stream, self.device))

    def __repr__(self) -> str:
        return f"<torch.cuda.Stream device={self.device} cuda_stream={self.cuda_stream:#x}>"


class ExternalStream(Stream):
    """Another library's stream, by its handle. That library must keep it alive."""

    def __init__(self, stream_ptr: int, device: Any = None) -> None:
        required()
        self.device = resolve(Device("cuda", number_of(device)))
        self.stream = runtime().external_stream(stream_ptr, self.device.index)
        self._entered = []


class Event:
    """A mark in a stream, to wait for, or to take the time at.

    Args:
        enable_timing: whether `elapsed_time` is wanted.
        blocking: let a waiting host sleep.
        interprocess: may be shared with another process.

    Raises:
        RuntimeError: there is no CUDA.
    """

    def __init__(
        self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False
    ) -> None:
        problem = cuda_problem()
        if problem is not None:
            raise RuntimeError(f"Tried to instantiate dummy base class Event: {problem}")
        self._options = (enable_timing, blocking, interprocess)
        self._event: Any = None  # made by the first `record`, on its stream's device
        self._index = -1

    @property
    def device(self) -> Device | None:
        """The device of the stream that it was recorded in."""
        return None if self._event is None else Device("cuda", self._index)

    @property
    def cuda_event(self) -> int:
        """The handle, as other libraries take it; 0 before it was recorded."""
        return 0 if self._event is None else int(self._event.ptr)

    def record(self, stream: Stream | None = None) -> None:
        """Mark the present end of a stream; default: of the current one.

        Raises:
            RuntimeError: it was recorded on another device before.
        """
        stream = current_stream() if stream is None else stream
        index = stream.device_index
        if self._event is None:
            self._event, self._index = runtime().new_event(index, *self._options), index
        elif index != self._index:
            raise RuntimeError(
                f"Event device {self._index} does not match recording stream's device {index}."
            )
        runtime().record(self._event, stream.stream, index)

    def wait(self, stream: Stream | None = None) -> None:
        """Let what a stream (default: the current one) starts from now on wait for this event."""
        stream = current_stream() if stream is None else stream
        if self._event is not None:
            stream.stream.wait_event(self._event)

    def query(self) -> bool:
        """Whether all work before the mark is done."""
        return self._event is None or bool(self._event.done)

    def synchronize(self) -> None:
        """Wait, on the host, until all work before the mark is done."""
        if self._event is not None:
            self._event.synchronize()

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from this event to another.

        Raises:
            ValueError: one of them was made without ``enable_timing``, or not recorded.
            RuntimeError: one of them is not done; `synchronize` first.
        """
        if not (self._options[0] and end_event._options[0]):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        if self._event is None or end_event._event is None:
            raise ValueError("Both events must be recorded before calculating elapsed time.")
        if not (self.query() and end_event.query()):
            raise RuntimeError(
                "Both events must be completed before calculating elapsed time. Wait for the "
                "later one first: end.synchronize()"
            )
        return float(runtime().elapsed(self._event, end_event._event))

    def __repr__(self) -> str:
        if self._event is None:
            return "<torch.cuda.Event uninitialized>"
        return f"<torch.cuda.Event {self.cuda_event:#x}>"


def _on(device: Any) -> int:
    required()
    return int(resolve(Device("cuda", number_of(device))).index or 0)


def current_stream(device: Any = None) -> Stream:
    """The stream that this thread's work on a device (default: the current one) goes into.

    Raises:
        AssertionError: there is no CUDA.
    """
    index = _on(device)
    return Stream._over(runtime().current_stream(index), index)


def default_stream(device: Any = None) -> Stream:
    """The stream that a device works in unless another was chosen.

    Raises:
        AssertionError: there is no CUDA.
    """
    index = _on(device)
    return Stream._over(runtime().default_stream(), index)


def set_stream(stream: Stream | None) -> None:
    """Let this thread's work go into a stream from now on, and make its device the current one."""
    if stream is not None:
        _use(stream.device_index)
        runtime().use_stream(stream.stream, stream.device_index)


class StreamContext:
    """What `stream` returns."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        if self.stream is not None:
            self._device = current_cuda_index()
            self._before = current_stream(self.stream.device)
            set_stream(self.stream)

    def __exit__(self, *exc: object) -> None:
        if self.stream is not None:
            set_stream(self._before)
            _use(self._device)


def stream(stream: Stream | None) -> StreamContext:
    """``with cuda.stream(s):`` lets the work started inside go into ``s``; None changes nothing."""
    return StreamContext(stream)
