"""Devices, and the pairs of a device and a dtype that say what kind of tensor a tensor is."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

from . import _numpy
from ._dtype import DTYPES, FLOATING, OF_ARRAY_DTYPE, DType

__all__ = [
    "Device", "TensorType", "array_namespace", "cuda_problem", "device_of_array",
    "get_default_device", "install", "named", "resolve", "set_default_device",
    "set_device_fallback",
]  # fmt: skip


class Device:
    """A place where tensors live: ``devgrad.device("cpu")``, ``devgrad.device("cuda:1")``.

    There is one object for each device, so ``a.device is b.device`` compares them. Naming a
    device asks nothing of the machine; making a tensor on it does. Used as a context manager it
    is where new tensors are made.

    >>> import devgrad
    >>> devgrad.device("cuda", 1)
    device(type='cuda', index=1)
    >>> with devgrad.device("cpu"):
    ...     devgrad.zeros(2).device
    device(type='cpu')

    Raises:
        RuntimeError: there is no such kind of device.
    """

    __slots__ = ("_entered", "index", "type", "types", "xp")
    _interned: ClassVar[dict[tuple[str, int | None], Device]] = {}

    type: str
    index: int | None
    _entered: threading.local  # the devices that were the default before, in each thread
    xp: Any  # the namespace of array functions; None until the device has been asked for
    types: dict[Any, TensorType]  # by the array libraries' dtype

    def __new__(cls, type: str | int | Device, index: int | None = None) -> Device:
        if isinstance(type, Device) and index is None:
            return type
        if isinstance(type, int) and not isinstance(type, bool) and index is None:
            index, type = type, "cuda"
        if not isinstance(type, str):
            raise TypeError(
                "device() received an invalid combination of arguments - got "
                f"({type.__class__.__name__}), but expected a name, perhaps with an index"
            )
        if index is not None and (isinstance(index, bool) or not hasattr(index, "__index__")):
            raise TypeError(
                "device(): argument 'index' (position 2) must be int, not "
                f"{index.__class__.__name__}"
            )
        if index is not None and index < 0:
            raise RuntimeError("Device index must not be negative")
        kind, _, number = type.partition(":")
        if kind not in _loaders:
            raise RuntimeError(
                "Expected one of cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, "
                "fpga, maia, xla, lazy, vulkan, mps, meta, hpu, mtia, privateuseone device type at "
                f"start of device string: {type}. devgrad has cpu and cuda"
            )
        if number:
            if index is not None:
                raise RuntimeError(
                    "type (string) must not include an index because index was passed "
                    f"explicitly: {type}"
                )
            if not number.isdigit():
                raise RuntimeError(f"Invalid device string: '{type}'")
            index = int(number)
        found = cls._interned.get((kind, index))
        if found is None:
            found = super().__new__(cls)
            found.type, found.index, found.xp, found.types = kind, index, None, {}
            found._entered = threading.local()
            found = cls._interned.setdefault((kind, index), found)
        return found

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Device, (str(self),))

    def __copy__(self) -> Device:
        return self

    def __deepcopy__(self, memo: object) -> Device:
        return self

    def __enter__(self) -> Device:
        stack = self._entered.__dict__.setdefault("stack", [])
        stack.append(_default.device)
        _default.device = self
        return self

    def __exit__(self, *exc: object) -> None:
        _default.device = self._entered.stack.pop()

    def _open(self, xp: Any) -> None:
        """Say which arrays this device's tensors are made of."""
        if self.xp is None:
            self.types.update({d.array_dtype: TensorType(self, d, xp) for d in DTYPES.values()})
            self.xp = xp


class TensorType:
    """A dtype on a device: the kind of a tensor. There is one object for each pair.

    One comparison, ``a._type is b._type``, tells an operation that its operands need neither
    promotion nor a check of devices.
    """

    __slots__ = ("array_dtype", "array_type", "asarray", "constants", "device", "dtype",
                 "floating", "numbers", "xp")  # fmt: skip

    def __init__(self, device: Device, dtype: DType, xp: Any) -> None:
        self.device = device
        self.dtype = dtype
        self.xp = xp
        self.array_dtype = dtype.array_dtype
        self.array_type = xp.array_type
        self.asarray = xp.asarray
        self.floating = dtype.category >= FLOATING
        self.numbers: dict[Any, Any] = {}  # those met as operands, by value; floating types only
        self.constants: dict[Any, Any] = {}  # Python numbers as 0-dim tensors; see ops/_promotion

    def __str__(self) -> str:
        place = "" if self.device.type == "cpu" else f"{self.device.type}."
        return f"torch.{place}{self.dtype.title}Tensor"

    def with_dtype(self, dtype: DType) -> TensorType:
        """The same device, another dtype."""
        return self.device.types[dtype.array_dtype]


# --- the kinds of arrays that there are ---------------------------------------------------------


def _load_cuda() -> Any:
    failure, imported = None, False
    try:
        import cupy  # noqa: F401

        imported = True
        from . import _cupy

        if _cupy.xp.device_count():
            return _cupy.xp
    except Exception as error:
        if imported and not hasattr(error, "status"):  # not CUDA's error: a bug of ours
            raise
        failure = error
    from ._diagnosis import diagnose, look

    raise _Unavailable(str(diagnose(look(failure, imported)))) from None


class _Unavailable(Exception):
    """Why a kind of device cannot be used, and what would mend it."""


_loaders: dict[str, Callable[[], Any]] = {"cpu": lambda: _numpy.xp, "cuda": _load_cuda}
_loaded: dict[
    str, Any
] = {}  # kind of device -> its namespace, or the _Unavailable that says why not
known_namespaces: dict[type, Any] = {}  # class of array -> namespace
_current_cuda = threading.local()
_lock = threading.Lock()


def install(kind: str, xp: Any) -> None:
    """Give a kind of device its arrays: the door for array libraries other than the two built in.

    ``xp`` offers what ``_numpy.py`` lists. To be called before that kind is first used.
    """
    _loaders[kind] = lambda: xp
    _loaded.pop(kind, None)


def _namespace(kind: str) -> Any:
    """The namespace of a kind of device; an `_Unavailable` (not raised) where there is none."""
    found = _loaded.get(kind)
    if found is None:
        with _lock:
            try:
                found = _loaders[kind]()
            except _Unavailable as reason:
                found = reason
            else:
                known_namespaces[found.array_type] = found
                if kind == "cuda":
                    if os.environ.get("DEVGRAD_CUDA_DEBUG", "") not in ("", "0"):
                        _checking.add("debug")
                    found.checks_bounds = bool(_checking)
            _loaded[kind] = found
    return found


_checking: set[str] = set()  # why values are looked at on CUDA


def check_on_cuda(reason: str, on: bool) -> None:
    """Look at indices and other values on CUDA too, though looking waits for the GPU.

    ``reason`` is who wants it, ``"debug"`` or ``"anomaly"``; one of them suffices.
    """
    (_checking.add if on else _checking.discard)(reason)
    if cuda_is_loaded():
        _loaded["cuda"].checks_bounds = bool(_checking)


def checks_on_cuda(reason: str) -> bool:
    """Whether `check_on_cuda` was asked for, for this reason."""
    _namespace("cuda")  # the environment may ask for it
    return reason in _checking


def cuda_problem() -> str | None:
    """Why CUDA cannot be used, in words; None where it can."""
    found = _namespace("cuda")
    return str(found) if isinstance(found, _Unavailable) else None


def cuda_is_loaded() -> bool:
    """Whether CUDA was asked for before, and is there."""
    found = _loaded.get("cuda")
    return found is not None and not isinstance(found, _Unavailable)


def current_cuda_index() -> int:
    """The CUDA device that ``"cuda"`` without a number means in this thread."""
    return int(getattr(_current_cuda, "index", 0))


def set_current_cuda_index(index: int) -> None:
    """Choose the CUDA device that ``"cuda"`` without a number means in this thread."""
    _current_cuda.index = index


class _CurrentDevice:
    """Which CUDA device is current, where there are several.

    Attributes:
        use: ``use(device)`` makes a device current, for what is computed next; None as long as
            only the first has been asked for.
    """

    def __init__(self) -> None:
        self.use: Callable[[Device], None] | None = None
        self._callbacks: list[Callable[[], None]] = []
        self._undo: list[Callable[[], None]] = []
        self._xp: Any = None

    def guard(self, xp: Any) -> None:
        """A second device is asked for: from now on the device has to be minded."""
        self._xp = xp
        self.use = lambda device: xp.use_device(device.index) if device.type == "cuda" else None
        for callback in self._callbacks:
            callback()

    def kept(self) -> Any:
        """A context that in the end makes the device current that is so now."""
        return self._xp.on_device(self._xp.device_in_use())

    def when_forgotten(self, undo: Callable[[], None]) -> None:
        """What takes a guard away again."""
        self._undo.append(undo)

    def forget(self) -> None:
        """Be as before a second device was asked for."""
        while self._undo:
            self._undo.pop()()
        self.use = self._xp = None


current_device = _CurrentDevice()


def when_several(callback: Callable[[], None]) -> Callable[[], None]:
    """Have something called when a second CUDA device is first asked for; a decorator."""
    current_device._callbacks.append(callback)
    if current_device.use is not None:
        callback()
    return callback


def device_error(error: Exception) -> Exception:
    """What to raise for an error: if it is CUDA's, one in PyTorch's words; else itself."""
    for xp in _loaded.values():
        found: Exception | None = getattr(xp, "explained", lambda error: None)(error)
        if found is not None:
            return found
    return error


class _Fallback:
    raises: bool | None = None  # None: as the environment says
    warned = False


def set_device_fallback(mode: str) -> None:
    """What naming a CUDA device does on a machine without one.

    Args:
        mode: ``"warn"`` uses the CPU and warns once; ``"error"`` raises. The environment variable
            ``DEVGRAD_DEVICE_FALLBACK`` sets the same from outside.
    """
    if mode not in ("warn", "error"):
        raise ValueError(f"mode must be 'warn' or 'error', not {mode!r}")
    _Fallback.raises = mode == "error"


def _fall_back(wanted: Device, reason: object) -> Device:
    text = f"Torch not compiled with CUDA enabled: device '{wanted}' was asked for, but {reason}. "
    raises = _Fallback.raises
    if raises is None:
        raises = os.environ.get("DEVGRAD_DEVICE_FALLBACK", "").lower() == "error"
    if raises:
        raise AssertionError(
            text + "(DEVGRAD_DEVICE_FALLBACK=error forbids falling back to the CPU.)"
        )
    if not _Fallback.warned:
        _Fallback.warned = True
        warnings.warn(
            text + "The CPU is used instead, and x.device says so. `python -m devgrad doctor` "
            "tells more; DEVGRAD_DEVICE_FALLBACK=error makes this an error.",
            UserWarning,
            stacklevel=user_stacklevel(),
        )
    return CPU


def user_stacklevel() -> int:
    """The stacklevel for warnings.warn, called in our caller, that names the user's line."""
    package = os.path.dirname(os.path.dirname(__file__))
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith((package, "<devgrad")):
        level, frame = level + 1, frame.f_back
    return level


def named(device: Device | str | int | None) -> Device:
    """The device that ``device=device`` names, be it there or not; None names the default one."""
    if device is None:
        return _default.device or _default_everywhere[0]
    return device if device.__class__ is Device else Device(device)


def resolve(device: Device | str | int | None) -> Device:
    """The device that a tensor made with ``device=device`` will really be on.

    ``None`` means the default device; ``"cuda"`` the current CUDA device, or the CPU where there
    is none (see `set_device_fallback`).

    Raises:
        AssertionError: there is no CUDA, and falling back is forbidden.
        RuntimeError: there is no device with that number.
    """
    device = named(device)
    if device.xp is not None:
        return device
    if device.type == "cpu":
        return CPU
    xp = _namespace(device.type)
    if isinstance(xp, _Unavailable):
        return _fall_back(device, xp)
    index = current_cuda_index() if device.index is None else device.index
    if index >= xp.device_count():
        raise RuntimeError(
            f"CUDA error: invalid device ordinal. '{device}' was asked for, but this machine's "
            f"CUDA devices are numbered 0 to {xp.device_count() - 1}"
        )
    real = Device("cuda", index)
    if index and current_device.use is None:
        current_device.guard(xp)
    real._open(xp)
    return real


def array_namespace(array: Any) -> Any:
    """The namespace of a bare array (or NumPy scalar), by its class; None if it is no array."""
    cls = array.__class__
    found = known_namespaces.get(cls)
    if found is None:
        for xp in {id(n): n for n in known_namespaces.values()}.values():
            if isinstance(array, (xp.array_type, *xp.scalar_types)):
                found = known_namespaces[cls] = xp
                break
    return found


def device_of_array(array: Any) -> Device | None:
    """The device that a user's array lives on; None if it is no array that we know.

    CuPy's arrays are recognised without importing CuPy: if there is one, it is imported already.
    """
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(array, cupy.ndarray):
        return resolve(Device("cuda", array.device.id))
    xp = array_namespace(array)
    if xp is None:
        return None
    if xp is CPU.xp:
        return CPU
    return resolve(Device("cuda", array.device.id))


class _PerThread(threading.local):
    device: Device | None = None


CPU = Device("cpu")
_namespace("cpu")
CPU._open(_numpy.xp)
_default = _PerThread()
_default_everywhere = [CPU]


def set_default_device(device: Device | str | None) -> None:
    """Make tensors on ``device`` where no ``device=`` is given; None means the CPU again.

    >>> import devgrad
    >>> devgrad.set_default_device("cpu")
    """
    _default_everywhere[0] = CPU if device is None else Device(device)


def get_default_device() -> Device:
    """The device that tensors are made on where no ``device=`` is given."""
    return resolve(None)


def dtype_of_array(array: Any) -> DType | None:
    """Our dtype for an array's; None where there is none."""
    return OF_ARRAY_DTYPE.get(array.dtype)
