"""``python -m devgrad doctor``: which devices work, and what mends those that do not."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from . import cuda
from ._creation import arange, linspace, tensor
from ._version import __version__
from .device import DTYPES, cuda_problem, in_units, resolve

__all__ = ["doctor"]

_INDENT = " " * 8


def doctor(devices: list[str], write: Callable[[str], object] = print) -> int:
    """Examine the devices of these kinds (``"cpu"``, ``"cuda"``; none means all) and report.

    Returns:
        The exit status: 1 if the CPU, or a device that was named, does not work.
    """
    write(
        f"devgrad {__version__}, Python {platform.python_version()}, NumPy {version('numpy')}, "
        f"{platform.system()} {platform.machine()}"
    )
    well = True
    if not devices or "cpu" in devices:
        well &= _report("cpu", "cpu", write)
    if not devices or "cuda" in devices:
        found = _examine_cuda(write)
        well &= found or "cuda" not in devices
    return 0 if well else 1


def _examine_cuda(write: Callable[[str], object]) -> bool:
    from .device._diagnosis import diagnose, look

    problem = cuda_problem()
    if problem is not None:
        said, _, remedy = problem.partition("; to mend it: ")
        write(f"cuda    does not work: {said}")
        if remedy:
            write(f"{_INDENT}to mend it: {remedy}")
        if os.environ.get("DEVGRAD_DEVICE_FALLBACK", "").lower() == "error":
            write(f'{_INDENT}device="cuda" is an error now (DEVGRAD_DEVICE_FALLBACK=error)')
        else:
            write(f'{_INDENT}device="cuda" means the CPU until then, with a warning')
        return False
    machine = look(imported=True)
    driver, runtime = cuda._devices.runtime().versions()
    names = " and ".join(f"{name} {version}" for name, version in machine.cupys.items())
    write(
        f"cuda    {names or 'CuPy'} with CUDA {_version(runtime)}; the driver serves CUDA up to "
        f"{_version(driver)}"
    )
    if len(machine.cupys) > 1:  # it works all the same, for the time being
        found = diagnose(machine)
        write(f"{_INDENT}{found.problem}\n{_INDENT}to mend it: {found.remedy}")
    works = [_report(f"cuda:{i}", f"cuda:{i}", write) for i in range(cuda.device_count())]
    return all(works)


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _report(title: str, device: str, write: Callable[[str], object]) -> bool:
    try:
        difference = _compute(device)
    except Exception as error:
        _report_failure(title, device, error, write)
        return False
    if not difference < 1e-6:
        write(f"{title:<7} computes wrongly: a derivative is off by {difference:.1e}")
        return False
    write(f"{title:<7} works: derivatives of a small computation are right to {difference:.1e}")
    if device != "cpu":
        found = cuda.get_device_properties(device)
        free, total = cuda.mem_get_info(device)
        write(
            f"{_INDENT}{found.name}, compute capability {found.major}.{found.minor}, "
            f"{in_units(free)} of {in_units(total)} free"
        )
    return True


def _report_failure(
    title: str, device: str, error: Exception, write: Callable[[str], object]
) -> None:
    write(f"{title:<7} does not work:")
    if device == "cpu":
        write(f"{_INDENT}{type(error).__name__}: {error}")
        write(f"{_INDENT}to mend it: pip install --force-reinstall devgrad numpy")
        return
    from .device._diagnosis import diagnose_failure, look

    found = diagnose_failure(look(imported=True), error)
    write(f"{_INDENT}{found.problem}\n{_INDENT}to mend it: {found.remedy}")


def _compute(device: str) -> float:
    """The largest error of a derivative that goes through the parts that programs need.

    Matrix products, elementwise functions, sums, indexing; the derivatives are compared with
    differences of the values.
    """
    place = resolve(device)
    kind = DTYPES["float64"]
    x = linspace(-1.0, 1.0, 12, dtype=kind, device=place).reshape(4, 3)
    w = linspace(0.1, 1.2, 6, dtype=kind, device=place).reshape(3, 2).requires_grad_()
    picked = arange(2, device=place)

    def loss(w: Any) -> Any:
        return ((x @ w).tanh()[picked] ** 2).sum() + w.exp().mean()

    loss(w).backward()
    found = w.grad.cpu().reshape(-1).tolist()
    values = w.detach().cpu().reshape(-1).tolist()
    step, worst = 1e-5, 0.0
    for i, derivative in enumerate(found):
        ends = []
        for sign in (1, -1):
            moved = list(values)
            moved[i] += sign * step
            ends.append(loss(tensor(moved, dtype=kind, device=place).reshape(3, 2)).item())
        worst = max(worst, abs(derivative - (ends[0] - ends[1]) / (2 * step)))
    return worst


def main(arguments: list[str]) -> int:
    """What ``python -m devgrad`` does with its arguments."""
    usage = (
        "python -m devgrad doctor            says which devices work, and what mends the others\n"
        "python -m devgrad doctor cuda       the same of CUDA; the exit status is 1 if it fails\n"
        "python -m devgrad --version         says which devgrad this is"
    )
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(f"devgrad {__version__}: PyTorch's autograd on plain arrays.\n\n{usage}")
        return 0
    if arguments[0] in ("-V", "--version", "version"):
        print(f"devgrad {__version__}")
        return 0
    command, *rest = arguments
    if command != "doctor" or set(rest) - {"cpu", "cuda"}:
        print(f"python -m devgrad: unknown: {' '.join(arguments)}\n\n{usage}", file=sys.stderr)
        return 2
    return doctor(rest)
