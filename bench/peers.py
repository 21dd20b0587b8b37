"""Who is measured: each peer names a module, the version of a workload that it runs, and how it
is loaded. To add one, write its loader here and a version of the workloads that it can run.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.registry import HAND, LIBRARY


class UnavailableError(Exception):
    """The peer cannot run here; the message says why."""


@dataclass
class Loaded:
    """A peer's module, imported and set up in this process."""

    module: Any
    device: str
    synchronize: Callable[[], object] | None = None
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer:
    """A registered peer. load: given a device and a number of threads, imports it."""

    name: str
    about: str
    version: str
    load: Callable[[str, int], Loaded]


PEERS: dict[str, Peer] = {}


def peer(
    name: str, *, about: str, version: str = LIBRARY
) -> Callable[[Callable[[str, int], Loaded]], Callable[[str, int], Loaded]]:
    """Register a peer under the name that `--against` takes."""

    def register(load: Callable[[str, int], Loaded]) -> Callable[[str, int], Loaded]:
        if name in PEERS:
            raise ValueError(f"there is a peer called {name!r} already")
        PEERS[name] = Peer(name, about, version, load)
        return load

    return register


def import_peer(module: str) -> Any:
    """Import a peer's module; raises UnavailableError when it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise UnavailableError(f"{module} is not installed") from None


def torch_like(module: str, device: str, threads: int) -> Loaded:
    """Load a library with PyTorch's namespace, on the device if it has it."""
    lib = import_peer(module)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            actual = lib.zeros(1, device=device).device
        except (RuntimeError, AssertionError) as error:
            raise UnavailableError(f"{module} has no device {device!r} here: {error}") from error
    if hasattr(lib, "set_num_threads"):
        lib.set_num_threads(threads)
    about = {"version": lib.__version__, "file": place(lib.__file__), "numpy": numpy_version()}
    if caught:
        about["warnings"] = [str(warning.message) for warning in caught]
    if actual.type != "cuda":
        return Loaded(lib, actual.type, None, about)
    about["device_name"] = lib.cuda.get_device_name(actual)
    return Loaded(lib, str(actual), lib.cuda.synchronize, about)


def place(file: str) -> str:
    """Where a module was imported from, relative to this checkout if it is in it."""
    root = Path(__file__).resolve().parents[1]
    path = Path(file).resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def numpy_version() -> str | None:
    """The version of NumPy, which most peers sit on; None where it is not installed."""
    try:
        return str(importlib.import_module("numpy").__version__)
    except ModuleNotFoundError:
        return None


@peer("devgrad", about="this library")
def load_devgrad(device: str, threads: int) -> Loaded:
    return torch_like("devgrad", device, threads)


@peer("torch", about="PyTorch, eager")
def load_torch(device: str, threads: int) -> Loaded:
    return torch_like("torch", device, threads)


@peer("hand", about="NumPy with the derivatives worked out by hand", version=HAND)
def load_hand(device: str, threads: int) -> Loaded:
    if device != "cpu":
        raise UnavailableError(f"NumPy has no device {device!r}; `cupy` runs the same code there")
    numpy = import_peer("numpy")
    return Loaded(numpy, "cpu", None, {"version": f"numpy {numpy.__version__}"})


@peer("cupy", about="the code of `hand` on a GPU, through CuPy", version=HAND)
def load_cupy(device: str, threads: int) -> Loaded:
    if not device.startswith("cuda"):
        raise UnavailableError(f"CuPy has no device {device!r}; `hand` runs the same code there")
    cupy = import_peer("cupy")
    try:
        gpu = cupy.cuda.Device(int(device.partition(":")[2] or 0))
        gpu.use()
        name = cupy.cuda.runtime.getDeviceProperties(gpu.id)["name"].decode()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise UnavailableError(f"CuPy has no device {device!r} here: {error}") from error
    about = {"version": cupy.__version__, "device_name": name, "numpy": numpy_version()}
    return Loaded(cupy, f"cuda:{gpu.id}", gpu.synchronize, about)
