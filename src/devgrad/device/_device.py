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
    "get_default_device", "install", "resolve", "set_default_device", "set_device_fallback",
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
        if isinstance(type, Device):
            return type
        if isinstance(type, int):
            index, type = type, "cuda"
        kind, _, number = type.partition(":")
        if kind not in _loaders:
            raise RuntimeError(
                f"Expected one of cpu, cuda device type at start of device string: {type}"
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
    try:
        from . import _cupy
    except ImportError as error:
        if getattr(error, "name", "") == "cupy":
            raise _Unavailable(
                "CuPy is not installed; `pip install 'devgrad[cuda12x]'` (or cuda13x, whichever "
                "your driver serves: see `nvidia-smi`) mends it"
            ) from None
        raise _Unavailable(f"CuPy could not be imported: {error}") from None
    try:
        count = _cupy.xp.device_count()
    except Exception as error:
        raise _Unavailable(
            f"CuPy found no usable CUDA driver ({error}); install NVIDIA's driver, or a newer one"
        ) from None
    if count == 0:
        raise _Unavailable(
            "the CUDA driver reports no device; check `nvidia-smi` and CUDA_VISIBLE_DEVICES"
        )
    return _cupy.xp


class _Unavailable(Exception):
    """Why a kind of device cannot be used, and what would mend it."""


_loaders: dict[str, Callable[[], Any]] = {"cpu": lambda: _numpy.xp, "cuda": _load_cuda}
_loaded: dict[
    str, Any
] = {}  # kind of device -> its namespace, or the _Unavailable that says why not
_namespaces: dict[type, Any] = {}  # class of array -> namespace
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
                _namespaces[found.array_type] = found
            _loaded[kind] = found
    return found


def cuda_problem() -> str | None:
    """Why CUDA cannot be used, in words; None where it can."""
    found = _namespace("cuda")
    return str(found) if isinstance(found, _Unavailable) else None


def current_cuda_index() -> int:
    """The CUDA device that ``"cuda"`` without a number means in this thread."""
    return int(getattr(_current_cuda, "index", 0))


def set_current_cuda_index(index: int) -> None:
    """Choose the CUDA device that ``"cuda"`` without a number means in this thread."""
    _current_cuda.index = index


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
            text + "The CPU is used instead, and x.device says so; DEVGRAD_DEVICE_FALLBACK=error "
            "makes this an error.",
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


def resolve(device: Device | str | int | None) -> Device:
    """The device that a tensor made with ``device=device`` will really be on.

    ``None`` means the default device; ``"cuda"`` the current CUDA device, or the CPU where there
    is none (see `set_device_fallback`).

    Raises:
        AssertionError: there is no CUDA, and falling back is forbidden.
        RuntimeError: there is no device with that number.
    """
    if device is None:
        device = _default.device or _default_everywhere[0]
    if device.__class__ is not Device:
        device = Device(device)
    assert isinstance(device, Device)
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
    real._open(xp)
    return real


def array_namespace(array: Any) -> Any:
    """The namespace of a bare array (or NumPy scalar), by its class; None if it is no array."""
    cls = array.__class__
    found = _namespaces.get(cls)
    if found is None:
        for xp in {id(n): n for n in _namespaces.values()}.values():
            if isinstance(array, (xp.array_type, *xp.scalar_types)):
                found = _namespaces[cls] = xp
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
