"""``python -m devgrad doctor``, and why there is no CUDA: every diagnosis, on made-up machines."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import devgrad
from devgrad import _doctor
from devgrad.device import _device, _diagnosis
from devgrad.device._diagnosis import Machine, diagnose, diagnose_failure


class CUDAError(RuntimeError):
    """As CuPy's CUDARuntimeError: it has a status."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


ONE = {"cupy-cuda12x": "14.2.0"}
NO_DRIVER = CUDAError(35, "cudaErrorInsufficientDriver: CUDA driver version is insufficient")
NO_DEVICE = CUDAError(100, "cudaErrorNoDevice: no CUDA-capable device is detected")

MACHINES: dict[str, tuple[Machine, str, str]] = {
    # what was found; what is said; what mends it
    "macOS": (Machine(system="Darwin"), "there is no CUDA on macOS", ""),
    "nothing": (
        Machine(),
        "CuPy is not installed, and there is no NVIDIA driver",
        "install NVIDIA's driver, https://www.nvidia.com/drivers, then pip install "
        "'devgrad[cuda13x]'",
    ),
    "no CuPy, driver of CUDA 12": (
        Machine(driver=12040), "CuPy is not installed", "pip install 'devgrad[cuda12x]'"
    ),
    "no CuPy, driver of CUDA 13": (
        Machine(driver=13010), "CuPy is not installed", "pip install 'devgrad[cuda13x]'"
    ),
    "no CuPy, a driver of the future": (
        Machine(driver=15000), "CuPy is not installed", "pip install 'devgrad[cuda13x]'"
    ),
    "driver too old for any": (
        Machine(driver=11040, cupys={"cupy-cuda11x": "13.6.0"}),
        "NVIDIA's driver is too old: it serves CUDA up to 11.4, and CuPy needs 12.0",
        "install a newer driver, https://www.nvidia.com/drivers",
    ),
    "driver too old, no CuPy": (
        Machine(driver=11080),
        "NVIDIA's driver is too old: it serves CUDA up to 11.8",
        "install a newer driver, https://www.nvidia.com/drivers, then pip install "
        "'devgrad[cuda13x]'",
    ),
    "two CuPys": (
        Machine(driver=12080, cupys={**ONE, "cupy-cuda13x": "14.2.0"}, imported=True),
        "2 CuPys are installed (cupy-cuda12x and cupy-cuda13x), which overwrite each other's files",
        "pip uninstall -y cupy-cuda12x cupy-cuda13x && pip install 'devgrad[cuda12x]'",
    ),
    "no driver": (
        Machine(cupys=ONE, imported=True, failure=NO_DRIVER),
        "there is no NVIDIA driver",
        "install NVIDIA's driver, https://www.nvidia.com/drivers",
    ),
    "no driver in a container": (
        Machine(cupys=ONE, imported=True, failure=NO_DRIVER, container=True),
        "there is no NVIDIA driver",
        "start the container with the GPUs (docker run --gpus all); otherwise install",
    ),
    "driver too old for this CuPy": (
        Machine(driver=12080, cupys={"cupy-cuda13x": "14.2.0"}, imported=True, failure=NO_DRIVER),
        "NVIDIA's driver is too old for this CuPy: it serves CUDA up to 12.8, and cupy-cuda13x is "
        "made for CUDA 13",
        "pip uninstall -y cupy-cuda13x && pip install 'devgrad[cuda12x]' (or install a newer",
    ),
    "CuPy of CUDA 11": (
        Machine(driver=12080, cupys={"cupy-cuda11x": "13.6.0"}, imported=True),
        "this CuPy (cupy-cuda11x) is made for CUDA 11, which is too old for devgrad",
        "pip uninstall -y cupy-cuda11x && pip install 'devgrad[cuda12x]'",
    ),
    "CuPy of CUDA 10.2": (
        Machine(driver=12080, cupys={"cupy-cuda102": "12.3.0"}, imported=True),
        "this CuPy (cupy-cuda102) is made for CUDA 10,",
        "pip uninstall -y cupy-cuda102 && pip install 'devgrad[cuda12x]'",
    ),
    "CuPy for AMD": (
        Machine(driver=12080, cupys={"cupy-rocm-5-0": "13.0.0"}, imported=True),
        "this CuPy (cupy-rocm-5-0) is made for AMD's GPUs",
        "pip uninstall -y cupy-rocm-5-0 && pip install 'devgrad[cuda12x]'",
    ),
    "CuPy cannot be imported": (
        Machine(driver=12080, cupys=ONE, failure=ImportError("libstdc++.so.6: version\nmore")),
        "CuPy could not be imported (libstdc++.so.6: version)",
        "pip uninstall -y cupy-cuda12x && pip install 'devgrad[cuda12x]'",
    ),
    "no device": (
        Machine(driver=12080, cupys=ONE, imported=True, failure=NO_DEVICE),
        "NVIDIA's driver reports no GPU",
        "see what nvidia-smi says",
    ),
    "a count of none, in a container": (
        Machine(driver=12080, cupys=ONE, imported=True, container=True),
        "NVIDIA's driver reports no GPU",
        "start the container with the GPUs (docker run --gpus all)",
    ),
    "hidden devices": (
        Machine(driver=12080, cupys=ONE, imported=True, failure=NO_DEVICE, visible=""),
        "CUDA_VISIBLE_DEVICES='' hides all GPUs",
        "unset CUDA_VISIBLE_DEVICES",
    ),
    "CUDA fails": (
        Machine(driver=12080, cupys=ONE, imported=True,
                failure=CUDAError(802, "cudaErrorSystemNotReady: system not yet initialized")),
        "CUDA failed (cudaErrorSystemNotReady: system not yet initialized)",
        "see what nvidia-smi says",
    ),
    "CuPy built from source": (
        Machine(driver=12080, cupys={"cupy": "14.0.0"}, imported=True, failure=NO_DEVICE),
        "NVIDIA's driver reports no GPU",
        "see what nvidia-smi says",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MACHINES)
def test_diagnosis(name: str) -> None:
    machine, problem, remedy = MACHINES[name]
    found = diagnose(machine)
    assert found.problem.startswith(problem)
    assert found.remedy.startswith(remedy)
    assert str(found) == (f"{found.problem}; to mend it: {found.remedy}" if remedy else problem)


@pytest.mark.parametrize(("failure", "problem", "remedy"), [
    (ImportError("libnvrtc.so.12: cannot open shared object file"),
     "CUDA's libraries, which CuPy needs, are not found (libnvrtc.so.12: cannot open",
     "pip install 'devgrad[cuda12x]'"),
    (RuntimeError("CuPy failed to load libcublas.so.12: OSError: cannot open shared object"),
     "CUDA's libraries, which CuPy needs, are not found", "pip install 'devgrad[cuda12x]'"),
    (CUDAError(209, "cudaErrorNoKernelImageForDevice: no kernel image is available"),
     "this CuPy cannot make programs for this GPU", "pip install --upgrade 'cupy-cuda12x[ctk]'"),
    (RuntimeError("nvrtc: error: invalid value for --gpu-architecture (-arch)"),
     "this CuPy cannot make programs for this GPU", "pip install --upgrade 'cupy-cuda12x[ctk]'"),
    (RuntimeError(""), "CUDA failed (RuntimeError('')", "see what nvidia-smi says"),
])  # fmt: skip
def test_diagnosis_of_what_fails_later(failure: Exception, problem: str, remedy: str) -> None:
    found = diagnose_failure(Machine(driver=12080, cupys=ONE, imported=True), failure)
    assert found.problem.startswith(problem)
    assert found.remedy.startswith(remedy)


def test_every_remedy_names_an_extra_that_there_is() -> None:
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    for machine, _, _ in MACHINES.values():
        remedy = diagnose(machine).remedy
        if "devgrad[" in remedy:
            extra = remedy.partition("devgrad[")[2].partition("]")[0]
            assert f"\n{extra} = [" in text


def test_facts_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    class Distribution:
        version = "14.2.0"

        def __init__(self, name: str) -> None:
            self.metadata = {"Name": name}

    names = ("CuPy_cuda12x", "cupy", "cupyx-things", "numpy", "cupy-cuda13x")
    monkeypatch.setattr("importlib.metadata.distributions", lambda: map(Distribution, names))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    found = _diagnosis.look(failure=NO_DEVICE, imported=True)
    assert found.cupys == dict.fromkeys(("cupy-cuda12x", "cupy", "cupy-cuda13x"), "14.2.0")
    assert found.visible == "7"
    assert found.failure is NO_DEVICE
    assert found.system == __import__("platform").system()


def test_driver_is_asked_without_starting_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    class Driver:
        def __init__(self, name: str) -> None:
            assert name in ("libcuda.so.1", "nvcuda.dll")

        def cuDriverGetVersion(self, where: Any) -> int:
            where._obj.value = version
            return status

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"{name} was called")

    monkeypatch.setattr("ctypes.CDLL", Driver)
    for version, status, found in ((12080, 0, 12080), (0, 0, None), (12080, 34, None)):  # noqa: B007
        assert _diagnosis.look().driver == found


# --- the fallback says the same -------------------------------------------------------------------


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing is known about CUDA yet, and nothing was warned of."""
    monkeypatch.setattr(_device, "_loaded", dict(_device._loaded))
    _device._loaded.pop("cuda", None)
    monkeypatch.setitem(_device._loaders, "cuda", _device._load_cuda)
    monkeypatch.setattr(_device._Fallback, "warned", False)
    monkeypatch.setattr(_device._Fallback, "raises", None)
    monkeypatch.delenv("DEVGRAD_DEVICE_FALLBACK", raising=False)
    return monkeypatch


@pytest.mark.parametrize("name", ["nothing", "no CuPy, driver of CUDA 12", "two CuPys"])
def test_fallback_warns_once_with_the_diagnosis(name: str, unloaded: pytest.MonkeyPatch) -> None:
    machine, problem, remedy = MACHINES[name]
    unloaded.setitem(sys.modules, "cupy", None)  # importing it raises ImportError
    unloaded.setattr(_diagnosis, "look", lambda failure, imported: machine)
    with pytest.warns(UserWarning) as record:
        x = devgrad.ones(2, device="cuda")
        devgrad.ones(2, device="cuda:0")
    (warning,) = record
    text = str(warning.message)
    assert text.startswith(
        f"Torch not compiled with CUDA enabled: device 'cuda' was asked for, but {problem}; to "
        f"mend it: {remedy}"
    )
    assert "python -m devgrad doctor" in text
    assert Path(warning.filename).name == "test_doctor.py"
    assert x.device == devgrad.device("cpu")
    unloaded.setenv("DEVGRAD_DEVICE_FALLBACK", "error")
    with pytest.raises(AssertionError, match=re.escape(problem)):
        devgrad.ones(2, device="cuda")
    with pytest.raises(AssertionError, match=re.escape(problem)):
        devgrad.cuda.current_device()


def test_a_fault_of_ours_is_not_taken_for_a_missing_gpu(unloaded: pytest.MonkeyPatch) -> None:
    import types

    unloaded.setitem(sys.modules, "cupy", types.ModuleType("cupy"))
    unloaded.delattr(sys.modules["devgrad.device"], "_cupy", raising=False)
    unloaded.setitem(sys.modules, "devgrad.device._cupy", None)
    with pytest.raises(ImportError):
        devgrad.cuda.is_available()


# --- the command ----------------------------------------------------------------------------------


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "", **environment}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "devgrad", *arguments],
        capture_output=True, text=True, env=env,
    )  # fmt: skip


def test_without_arguments_it_says_what_it_can_do() -> None:
    done = _run()
    assert done.returncode == 0
    assert "python -m devgrad doctor" in done.stdout
    assert _run("--help").stdout == done.stdout
    assert _run("--version").stdout == f"devgrad {devgrad.__version__}\n"


def test_what_it_does_not_know_is_an_error() -> None:
    for arguments in (["docter"], ["doctor", "tpu"]):
        done = _run(*arguments)
        assert done.returncode == 2
        assert "unknown: " + " ".join(arguments) in done.stderr
        assert "python -m devgrad doctor" in done.stderr


def test_doctor_where_cuda_does_not_work() -> None:
    done = _run("doctor")
    assert done.returncode == 0, done.stderr
    assert f"devgrad {devgrad.__version__}, Python" in done.stdout
    assert "\ncpu     works: derivatives of a small computation are right to" in done.stdout
    assert "\ncuda    does not work: " in done.stdout
    assert "to mend it: " in done.stdout or sys.platform == "darwin"
    assert 'device="cuda" means the CPU until then, with a warning' in done.stdout
    assert _run("doctor", "cuda").returncode == 1
    assert _run("doctor", "cpu").returncode == 0
    forbidden = _run("doctor", DEVGRAD_DEVICE_FALLBACK="error").stdout
    assert "(DEVGRAD_DEVICE_FALLBACK=error)" in forbidden


def test_doctor_where_cuda_works() -> None:
    """On the stand-in, which has two devices."""
    import cuda_stand_in

    lines: list[str] = []
    cuda_stand_in.install()
    try:
        assert _doctor.doctor([], lines.append) == 0
    finally:
        cuda_stand_in.uninstall()
    text = "\n".join(lines)
    assert "with CUDA 12.9; the driver serves CUDA up to 12.9" in text
    for index in range(cuda_stand_in.DEVICES):
        assert f"\ncuda:{index}  works: derivatives of a small computation are right to" in text
    assert "compute capability 9.0, " in text


def test_doctor_tells_of_a_device_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    import cuda_stand_in

    def compute(device: str) -> float:
        if device == "cuda:0":
            raise ImportError("libnvrtc.so.12: cannot open shared object file")
        return 1.0 if device == "cuda:1" else 0.0

    monkeypatch.setattr(_doctor, "_compute", compute)
    lines: list[str] = []
    cuda_stand_in.install()
    try:
        assert _doctor.doctor(["cuda"], lines.append) == 1
    finally:
        cuda_stand_in.uninstall()
    text = "\n".join(lines)
    assert "cuda:0  does not work:\n        CUDA's libraries, which CuPy needs, are not" in text
    assert "        to mend it: pip install 'devgrad[cuda" in text
    assert "cuda:1  computes wrongly: a derivative is off by 1.0e+00" in text


def test_doctor_finds_a_wrong_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _doctor._compute("cpu") < 1e-9
    monkeypatch.setattr(devgrad.Tensor, "exp", lambda x: x.sinh() + x.cosh().detach())
    assert _doctor._compute("cpu") > 1e-3


def test_importing_devgrad_looks_for_nothing() -> None:
    code = (
        "import sys, numpy; before = set(sys.modules); import devgrad; bad = {'cupy', 'cupyx', "
        "'devgrad.device._diagnosis', 'devgrad.device._philox', 'importlib.metadata', "
        "'devgrad.device._philox_generator', 'devgrad._doctor'}; "
        "print(sorted(bad & set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        devgrad.device("cuda")  # naming a device asks nothing
