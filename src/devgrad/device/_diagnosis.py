"""Why CUDA cannot be used on this machine, and what would mend it.

`look` collects facts, `diagnose` draws the conclusion from them alone, so that every conclusion
can be tested on any machine. The warning of falling back to the CPU and ``python -m devgrad
doctor`` say the same.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["Diagnosis", "Machine", "diagnose", "diagnose_failure", "look"]

_OLDEST = 12  # the major version of CUDA that the oldest CuPy that devgrad works with is made for
_NEWEST = 13
_NO_DEVICE = 100  # cudaErrorNoDevice
_DRIVER_PAGE = "https://www.nvidia.com/drivers"


@dataclass
class Machine:
    """What was found on a machine.

    Attributes:
        system: ``"Linux"``, ``"Windows"``, ``"Darwin"``.
        cupys: the distributions of CuPy that are installed, with their versions.
        driver: the newest CUDA that NVIDIA's driver serves (12080 is 12.8); None without a driver.
        visible: the environment variable ``CUDA_VISIBLE_DEVICES``, if it is set.
        failure: the exception of importing CuPy, or of asking it for its devices.
        imported: whether CuPy could be imported.
        container: whether this runs in a container.
    """

    system: str = "Linux"
    cupys: dict[str, str] = field(default_factory=dict)
    driver: int | None = None
    visible: str | None = None
    failure: BaseException | None = None
    imported: bool = False
    container: bool = False


class Diagnosis(NamedTuple):
    """What is wrong, in words, and the command or step that mends it ("" if nothing does)."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}; to mend it: {self.remedy}" if self.remedy else self.problem


def look(failure: BaseException | None = None, imported: bool = False) -> Machine:
    """The facts of this machine. Nothing of CUDA is started for it."""
    return Machine(
        system=platform.system(),
        cupys=_installed_cupys(),
        driver=_driver_version(),
        visible=os.environ.get("CUDA_VISIBLE_DEVICES"),
        failure=failure,
        imported=imported,
        container=os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"),
    )


def _installed_cupys() -> dict[str, str]:
    from importlib.metadata import distributions

    found = {}
    for distribution in distributions():
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if re.fullmatch(r"cupy(-cuda\d+x?|-rocm-[\d-]+)?", name):
            found[name] = distribution.version
    return found


def _driver_version() -> int | None:
    name = "nvcuda.dll" if platform.system() == "Windows" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return None
    version = ctypes.c_int(0)
    failed = driver.cuDriverGetVersion(ctypes.byref(version))
    return None if failed else version.value or None  # (a stub of the driver knows none)


def _dotted(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


def _extra(driver: int | None) -> str:
    """The extra of devgrad that brings the CuPy which a driver serves."""
    major = _NEWEST if driver is None else min(driver // 1000, _NEWEST)
    return f"cuda{major}x"


def _install(machine: Machine) -> str:
    return f"pip install 'devgrad[{_extra(machine.driver)}]'"


def _major(cupy: str) -> int | None:
    """The major version of CUDA that a distribution of CuPy is made for, if its name tells."""
    found = re.fullmatch(r"cupy-cuda(\d{2})\d?x?", cupy)
    return int(found[1]) if found else None


def _no_driver(machine: Machine, after: str) -> str:
    inside = (
        "start the container with the GPUs (docker run --gpus all); otherwise "
        if machine.container else ""
    )  # fmt: skip
    return f"{inside}install NVIDIA's driver, {_DRIVER_PAGE}{after}"


def diagnose(machine: Machine) -> Diagnosis:
    """What keeps CUDA from working on a machine.

    Example:
        >>> print(diagnose(Machine(driver=12080)))
        CuPy is not installed; to mend it: pip install 'devgrad[cuda12x]'
    """
    driver = machine.driver
    if machine.system == "Darwin":
        return Diagnosis("there is no CUDA on macOS", "")
    if len(machine.cupys) > 1:
        names = " ".join(sorted(machine.cupys))
        return Diagnosis(
            f"{len(machine.cupys)} CuPys are installed ({names.replace(' ', ' and ')}), which "
            "overwrite each other's files",
            f"pip uninstall -y {names} && {_install(machine)}",
        )
    if driver is not None and driver // 1000 < _OLDEST:
        return Diagnosis(
            f"NVIDIA's driver is too old: it serves CUDA up to {_dotted(driver)}, and CuPy needs "
            f"{_OLDEST}.0",
            f"install a newer driver, {_DRIVER_PAGE}"
            + ("" if machine.cupys else f", then pip install 'devgrad[cuda{_NEWEST}x]'"),
        )
    if not machine.cupys and not machine.imported:
        if driver is None:
            return Diagnosis(
                "CuPy is not installed, and there is no NVIDIA driver",
                _no_driver(machine, f", then {_install(machine)}"),
            )
        return Diagnosis("CuPy is not installed", _install(machine))
    name = next(iter(machine.cupys), "cupy")
    if name.startswith("cupy-rocm"):
        return Diagnosis(
            f"this CuPy ({name}) is made for AMD's GPUs, which devgrad does not know",
            f"pip uninstall -y {name} && {_install(machine)}",
        )
    if driver is None:
        return Diagnosis("there is no NVIDIA driver", _no_driver(machine, ""))
    major = _major(name)
    if major is not None and major < _OLDEST:
        return Diagnosis(
            f"this CuPy ({name}) is made for CUDA {major}, which is too old for devgrad",
            f"pip uninstall -y {name} && {_install(machine)}",
        )
    if major is not None and driver // 1000 < major:
        return Diagnosis(
            f"NVIDIA's driver is too old for this CuPy: it serves CUDA up to {_dotted(driver)}, "
            f"and {name} is made for CUDA {major}",
            f"pip uninstall -y {name} && {_install(machine)} (or install a newer driver, "
            f"{_DRIVER_PAGE})",
        )
    if not machine.imported:
        return Diagnosis(
            f"CuPy could not be imported ({_first_line(machine.failure)})",
            f"pip uninstall -y {name} && {_install(machine)}",
        )
    if machine.failure is None or getattr(machine.failure, "status", None) == _NO_DEVICE:
        if machine.visible is not None:
            return Diagnosis(
                f"CUDA_VISIBLE_DEVICES={machine.visible!r} hides all GPUs",
                "unset CUDA_VISIBLE_DEVICES",
            )
        return Diagnosis(
            "NVIDIA's driver reports no GPU",
            "start the container with the GPUs (docker run --gpus all)"
            if machine.container
            else "see what nvidia-smi says: the GPU may be switched off, or the driver not loaded",
        )
    return diagnose_failure(machine, machine.failure)


def diagnose_failure(machine: Machine, failure: BaseException) -> Diagnosis:
    """What is wrong where CUDA is there, and something failed nevertheless."""
    text = f"{type(failure).__name__}: {failure}"
    name = next(iter(machine.cupys), "cupy")
    if re.search(r"nvrtc|cublas|cusolver|curand|cufft|cusparse|cudart", text, re.IGNORECASE) and (
        re.search(r"cannot open|not found|failed to (find|load)|No such file|DLL load|could not",
                  text, re.IGNORECASE)
    ):  # fmt: skip
        major = _major(name) or min(machine.driver or _NEWEST * 1000, _NEWEST * 1000) // 1000
        return Diagnosis(
            f"CUDA's libraries, which CuPy needs, are not found ({_first_line(failure)})",
            f"pip install 'devgrad[cuda{major}x]'",
        )
    if re.search(
        r"no kernel image|NO_BINARY_FOR_GPU|gpu-architecture|unsupported toolchain|PTX", text
    ):
        return Diagnosis(
            f"this CuPy cannot make programs for this GPU ({_first_line(failure)})",
            f"pip install --upgrade '{name}[ctk]'",
        )
    return Diagnosis(
        f"CUDA failed ({_first_line(failure)})",
        "see what nvidia-smi says; a newer driver or a restart may help",
    )


def _first_line(failure: Any) -> str:
    return str(failure).strip().splitlines()[0] if str(failure).strip() else repr(failure)
