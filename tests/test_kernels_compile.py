"""Every CUDA source of ours compiles: by NVRTC, as CuPy does it, and by nvcc. No GPU is needed.

NVRTC comes with the wheels ``nvidia-cuda-nvrtc-cu12`` (or ``nvidia-cuda-nvrtc``, for CUDA 13), nvcc
with the CUDA toolkit. Where neither is, the tests are skipped, and say so.
"""

from __future__ import annotations

import ctypes
import functools
import glob
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devgrad.device import _kernels

# The oldest GPUs that both CUDA 12 and 13 compile for, and new ones.
ARCHITECTURES = (75, 80, 90)


# They give NumPy's numbers bit for bit; CUDA's exp, log and tanh, which the others call, have fused
# multiply-adds inside.
EXACT = ("optimizers", "random_fill", "scatter")


def _find_nvcc() -> str | None:
    found = sorted(glob.glob("/usr/local/cuda*/bin/nvcc"))
    return shutil.which("nvcc") or (found[-1] if found else None)


@functools.cache
def _find_nvrtc() -> Any:
    names = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"]
    spec = importlib.util.find_spec("nvidia") if importlib.util.find_spec("nvidia") else None
    for place in (spec.submodule_search_locations if spec else None) or ():
        names += glob.glob(os.path.join(place, "*", "lib", "libnvrtc.so.*"))
    names += glob.glob("/usr/local/cuda*/lib64/libnvrtc.so")
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


NVCC = _find_nvcc()


def test_every_source_is_registered() -> None:
    folder = Path(_kernels.__file__).with_name("kernels")
    assert _kernels.names() == sorted(p.stem for p in folder.glob("*.cu"))
    for name in _kernels.names():
        functions = _kernels.functions(name)
        assert functions
        assert len(set(functions)) == len(functions)
        # None was missed: each definition in the text is one of the names found.
        text = re.sub(r"#define .*?(?<!\\)\n", "", _kernels.source(name), flags=re.DOTALL)
        defined = text.count('extern "C" __global__') + len(re.findall(r"^FILL2\(", text, re.M))
        defined += 2 * len(re.findall(r"^FLOATS\(", text, re.M))
        assert defined == len(functions)
        assert "#include" not in _kernels.source(name)


@pytest.mark.skipif(_find_nvrtc() is None, reason="no NVRTC (pip install nvidia-cuda-nvrtc-cu12)")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", _kernels.names())
def test_nvrtc_compiles(name: str, architecture: int) -> None:
    nvrtc = _find_nvrtc()
    program = ctypes.c_void_p()
    source = _kernels.source(name).encode()
    assert nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), source, f"{name}.cu".encode(), 0, None, None
    ) == 0  # fmt: skip
    # As CuPy calls it.
    texts = (f"-arch=compute_{architecture}", "--device-as-default-execution-space",
             *_kernels.OPTIONS)  # fmt: skip
    options = [text.encode() for text in texts]
    status = nvrtc.nvrtcCompileProgram(
        program, len(options), (ctypes.c_char_p * len(options))(*options)
    )
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    assert status == 0, log.value.decode()
    assert "warning" not in log.value.decode()
    nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size))
    ptx = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetPTX(program, ptx)
    text = ptx.value.decode()
    for function in _kernels.functions(name):
        assert f".entry {function}(" in text
    if name in EXACT:
        assert not re.search(r"\bfma\.rn", text), "a fused multiply-add would change the numbers"
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


@pytest.mark.skipif(NVCC is None, reason="no nvcc (the CUDA toolkit)")
@pytest.mark.parametrize("name", _kernels.names())
def test_nvcc_compiles(name: str, tmp_path: Path) -> None:
    source = tmp_path / f"{name}.cu"
    source.write_text(_kernels.source(name), encoding="utf-8")
    done = subprocess.run(
        [str(NVCC), "-cubin", "-arch=sm_90", "-Werror", "all-warnings", *_kernels.OPTIONS,
         "-o", str(tmp_path / "out.cubin"), str(source)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.cubin").stat().st_size > 1000
