"""Which device a test runs on.

Every test runs on the CPU, and those of the modules that are not in `HOST_ONLY` a second time with
CUDA as the default device: on the strict stand-in for CuPy (`cuda_stand_in`), which any machine
has, and, as ``-m gpu`` asks, on real hardware. The fixture `device` says where.

    python -m pytest                          # on the CPU and on the stand-in
    python -m pytest --device cpu             # on one of them only: cpu, stand-in, cuda
    python -m pytest -m gpu                   # on a real CUDA device
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from typing import Any

import pytest

DEVICES = ("cpu", "stand-in", "cuda")

# Modules whose tests have no device to choose, each with the reason.
HOST_ONLY = {
    "test_allocator": "the memory of the CPU; it starts processes",
    "test_bad_input": "PyTorch's messages name the CPU",
    "test_bench": "the benchmark's own machinery; it starts processes",
    "test_cuda_stand_in": "about the stand-in itself; it installs and removes it",
    "test_doctor": "about what is not there; it starts processes",
    "test_examples": "the examples, as they are run by a reader",
    "test_kernels_compile": "the kernels' sources, for compilers",
    "test_mt19937": "the CPU's random stream",
    "test_mt19937_parts": "the CPU's random stream",
    "test_mt19937_refusals": "the CPU's random stream",
    "test_lr_scheduler": "numbers, not tensors",
    "test_nn_init": "the CPU's random stream",
    "test_project": "files, not tensors",
    "test_tutorial": "the tutorial's cells, word for word",
}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "host_only(reason): the test has nothing to do with devices; it runs on the CPU"
    )
    config.addinivalue_line("markers", "cuda_only: about CUDA alone; it does not run on the CPU")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--device", choices=DEVICES, default=None,
        help="run the tests on this device only (default: cpu and stand-in)",
    )  # fmt: skip


@functools.cache
def _no_cuda() -> str | None:
    """Why there is no real CUDA device; None where there is one."""
    found: Any = importlib.import_module("devgrad").cuda
    problem = importlib.import_module("devgrad.device").cuda_problem()
    return None if found.is_available() else str(problem)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" not in metafunc.fixturenames:
        return
    module = metafunc.module.__name__.rpartition(".")[2]
    host_only = module in HOST_ONLY or metafunc.definition.get_closest_marker("host_only")
    devices = DEVICES[:1] if host_only else DEVICES if _no_cuda() is None else DEVICES[:2]
    if not host_only and metafunc.definition.get_closest_marker("cuda_only"):
        devices = devices[1:]
    params = [
        pytest.param(d, id=pytest.HIDDEN_PARAM if d == "cpu" else d,
                     marks=[pytest.mark.gpu] if d == "cuda" else [])
        for d in devices
    ]  # fmt: skip
    metafunc.parametrize("device", params, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("--device")
    if wanted is None:
        return
    dropped = []
    for item in items:
        spec = getattr(item, "callspec", None)
        if wanted != ("cpu" if spec is None else spec.params.get("device", "cpu")):
            dropped.append(item)
    gone = set(map(id, dropped))
    items[:] = [item for item in items if id(item) not in gone]
    config.hook.pytest_deselected(items=dropped)


@pytest.fixture(autouse=True)
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """The default device of the test: ``"cpu"`` or ``"cuda"``."""
    where = getattr(request, "param", "cpu")  # (a doctest has none)
    if where == "cpu":
        yield "cpu"
        return
    import devgrad

    if where == "stand-in":
        import cuda_stand_in

        cuda_stand_in.install()
    devgrad.set_default_device("cuda")
    try:
        yield "cuda"
    finally:
        devgrad.set_default_device(None)
        if where == "stand-in":
            cuda_stand_in.uninstall()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    problem = _no_cuda()
    if problem is not None:
        terminalreporter.write_line(f"GPU tests skipped: no CUDA ({problem})")
