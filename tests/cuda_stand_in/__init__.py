"""A strict stand-in for CuPy, for machines without a GPU. It is a test double.

Arrays lie in the host's memory and NumPy computes, but the rules are CuPy's: arrays of NumPy are
no operands, nothing is converted on its own, results without dimensions stay arrays, functions and
keywords that CuPy lacks are missing, dtypes follow CuPy's loops, out-of-range positions wrap, and
arrays of one device are refused on another. ``cupy_table.json`` says what CuPy has.

    import cuda_stand_in
    cuda_stand_in.install()          # devgrad.device("cuda:0") and ("cuda:1") are there now
    with cuda_stand_in.no_waits():   # what makes the host wait for the device raises
        ...
    cuda_stand_in.uninstall()

devgrad's own room for CuPy, ``device/_cupy.py``, runs on it unchanged: it imports it as `cupy`.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from typing import Any

import host_kernels

from ._array import ndarray
from ._functions import everything
from ._memory import DEVICES, HiddenSynchronisation, cuda, no_waits, waits
from ._table import TABLE

__all__ = [
    "DEVICES", "HiddenSynchronisation", "TABLE", "install", "modules", "ndarray", "no_waits",
    "uninstall", "waits",
]  # fmt: skip

_PLACES = ("cupy", "cupyx", "cupy.linalg", "cupy.fft", "cupyx.scipy", "cupyx.scipy.special",
           "cupyx.scipy.linalg", "cupyx.cusolver",
           "cupy.cuda", "cupy.cuda.memory", "cupy.cuda.pinned_memory", "cupy.cuda.runtime",
           "cupy.exceptions")  # fmt: skip
_modules: dict[str, types.ModuleType] = {}
_hidden: dict[str, types.ModuleType] | None = None  # what had their names before


def modules() -> dict[str, types.ModuleType]:
    """The stand-in's modules, by the names that CuPy's have."""
    if not _modules:
        for name in _PLACES:
            _modules[name] = types.ModuleType(name, "A stand-in, for tests.")
            _modules[name].__path__ = []  # type: ignore[attr-defined]
        for name, value in everything().items():
            place, _, last = name.rpartition(".")
            home = place if place.startswith("cupyx") else f"cupy.{place}" if place else "cupy"
            if not last.startswith("_"):
                setattr(_modules[home], last, value)
        for name in ("memory", "pinned_memory", "runtime"):
            vars(_modules[f"cupy.cuda.{name}"]).update(vars(getattr(cuda, name)))
        vars(_modules["cupy.cuda"]).update(vars(cuda))
        import numpy

        vars(_modules["cupy.exceptions"]).update(
            {k: v for k, v in vars(numpy.exceptions).items() if not k.startswith("_")}
        )
        for name in _PLACES:
            place, _, last = name.rpartition(".")
            if place:
                setattr(_modules[place], last, _modules[name])
        _modules["cupy"].__version__ = TABLE["cupy"]  # type: ignore[attr-defined]
    return _modules


def install() -> None:
    """Make it devgrad's CUDA, through the door that the device layer has for other arrays."""
    global _hidden
    if _hidden is not None:
        raise RuntimeError("the stand-in is installed already")
    if host_kernels.COMPILER is None:  # no kernels then, but of random numbers
        os.environ.setdefault("DEVGRAD_CUDA_KERNELS", "0")
    _hidden = _put_away()
    sys.modules.update(modules())
    room: Any = importlib.import_module("devgrad.device._cupy")
    importlib.import_module("devgrad.device._device").install("cuda", room.xp)


def _put_away() -> dict[str, types.ModuleType]:
    """Take out what has CuPy's name, and the modules of devgrad's that imported it."""
    found = {}
    for name, module in list(sys.modules.items()):
        is_cupy = name.partition(".")[0] in ("cupy", "cupyx")
        if is_cupy or name.startswith("devgrad.") and "cupy" in vars(module):
            found[name] = sys.modules.pop(name)
            place, _, last = name.rpartition(".")
            if place in sys.modules:
                vars(sys.modules[place]).pop(last, None)
    return found


def _bring_back(found: dict[str, types.ModuleType]) -> None:
    sys.modules.update(found)
    for name, module in found.items():
        place, _, last = name.rpartition(".")
        if place in sys.modules:
            setattr(sys.modules[place], last, module)


def uninstall() -> None:
    """Take it away again; whatever devgrad had found out about CUDA is forgotten."""
    global _hidden
    if _hidden is None:
        raise RuntimeError("the stand-in is not installed")
    _device: Any = importlib.import_module("devgrad.device._device")
    _put_away()
    _bring_back(_hidden)
    _hidden = None
    _device._loaders["cuda"] = _device._load_cuda
    _device._loaded.pop("cuda", None)
    _device.known_namespaces.pop(ndarray, None)
    for found in _device.Device._interned.values():
        if found.type == "cuda":
            found.xp = None
            found.types.clear()
    _device.current_device.forget()
    _device.set_default_device(None)
    _device.set_current_cuda_index(0)
