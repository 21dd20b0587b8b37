"""The stand-in for CuPy: that it is as strict as CuPy, and what it shows about devgrad.

The suite itself runs on it (see ``conftest.py``); here are its rules, each taken from CuPy's
source, and what only it can tell: that nothing waits for the device in secret, that a second device
is minded, and that mistakes which NumPy lets pass are caught.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cuda_stand_in
import numpy as np
import pytest
from cuda_stand_in import _functions, _table
from cuda_stand_in.make_table import as_text
from test_ops import ROWS, Call

import devgrad

HERE = Path(__file__).parent


@pytest.fixture
def cp() -> Iterator[Any]:
    cuda_stand_in.install()
    try:
        yield sys.modules["cupy"]
    finally:
        cuda_stand_in.uninstall()


# --- it is as strict as CuPy ----------------------------------------------------------------------


def test_arrays_of_numpy_and_lists_are_no_operands(cp: Any) -> None:
    x, host = cp.asarray(np.ones(3)), np.ones(3)
    for action in (
        lambda: x + host,
        lambda: host + x,
        lambda: x * [1, 2, 3],
        lambda: cp.add(x, host),
        lambda: cp.add(x, [1, 2, 3]),
        lambda: cp.where(x > 0, x, host),
        lambda: cp.concatenate([x, host]),
        lambda: cp.sum(host),
        lambda: cp.moveaxis(host, 0, 0),
        lambda: cp.ascontiguousarray(host),
        lambda: cp.lexsort((x, x)),
        lambda: x.dot(host),
    ):
        with pytest.raises(TypeError):
            action()
    with pytest.raises(ValueError, match="non-scalar numpy.ndarray cannot be used for fill"):
        x[...] = host
    x[...] = np.float64(2)
    assert (x * np.float32(2)).tolist() == (np.float32(2) * x).tolist() == [4, 4, 4]


def test_nothing_is_converted_on_its_own(cp: Any) -> None:
    x = cp.asarray(np.ones(3))
    with pytest.raises(TypeError, match="Implicit conversion to a NumPy array is not allowed"):
        np.asarray(x)
    for action in (lambda: np.exp(x), lambda: np.sum(x), lambda: np.concatenate([x, x])):
        with pytest.raises(TypeError, match="was called with an array of the CUDA device"):
            action()


def test_what_cupy_has_not_is_not_there(cp: Any) -> None:
    x = cp.asarray(np.ones(3))
    for name in ("ndenumerate", "nditer", "loadtxt_", "float128", "object_", "errstate"):
        assert not hasattr(cp, name), name
    for name in ("ctypes", "__array_interface__", "itemset", "resize", "setflags", "tostring"):
        assert not hasattr(x, name), name
    assert not hasattr(x.flags, "writeable")
    for action in (
        lambda: cp.add(x, x, where=x > 0),
        lambda: cp.add(x, x, order="C"),
        lambda: cp.sum(x, initial=1),
        lambda: x.max(initial=0),
        lambda: x.mean(where=x > 0),
        lambda: cp.take(x, x, mode="clip"),
        lambda: x.astype("int32", casting="unsafe"),
        lambda: cp.zeros(3, like=x),
        lambda: cp.roll(x, 1, foo=2),
    ):
        with pytest.raises(TypeError):
            action()
    for action in (cp.maximum.reduce, cp.maximum.accumulate, cp.logaddexp.reduce):
        with pytest.raises(NotImplementedError):
            action(x)
    with pytest.raises(NotImplementedError):
        cp.multiply.at(x, cp.asarray([0]), x)
    for kind in ("quicksort", "mergesort"):
        with pytest.raises(ValueError, match="kind can only be None or 'stable'"):
            cp.argsort(x, kind=kind)
    with pytest.raises(NotImplementedError, match="non-contiguous"):
        cp.asarray(np.ones((3, 3))).T.sort()
    with pytest.raises(ValueError, match="Unsupported dtype"):
        cp.asarray(np.array(["text"]))


def test_results_without_dimensions_stay_arrays(cp: Any) -> None:
    x = cp.asarray(np.arange(3.0))
    for y in (x[0], x.sum(), cp.max(x), x.dot(x), cp.add(x[0], 1), x.argmax(), cp.allclose(x, x)):
        assert type(y) is cp.ndarray and y.shape == ()


@pytest.mark.parametrize(
    ("call", "dtype"),
    [
        (lambda cp, x: cp.exp(x("int8")), "float16"),
        (lambda cp, x: x("float32") * 2.0, "float32"),
        (lambda cp, x: x("int32") * 2.0, "float64"),
        (lambda cp, x: x("uint8") + 1, "uint8"),
        (lambda cp, x: x("bool") + 1, "int64"),
        (lambda cp, x: cp.power(x("bool"), x("bool")), "int8"),
        (lambda cp, x: cp.add.reduce(x("int32")), "int64"),
        (lambda cp, x: cp.true_divide(x("int32"), x("int32")), "float64"),
        (lambda cp, x: cp.where(x("bool"), x("float32"), 0.5), "float32"),
        (lambda cp, x: sys.modules["cupyx.scipy.special"].erf(x("float16")), "float64"),
    ],
)
def test_dtypes_are_those_of_cupys_loops(cp: Any, call: Any, dtype: str) -> None:
    assert call(cp, lambda name: cp.ones(3, name)).dtype == dtype


def test_dtypes_without_a_loop_are_refused(cp: Any) -> None:
    z, b = cp.ones(3, "complex64"), cp.ones(3, "bool")
    for action in (
        lambda: cp.logical_and(z, z),
        lambda: cp.floor_divide(z, z),
        lambda: cp.negative(b),
        lambda: cp.subtract(b, b),
        lambda: cp.bitwise_and(cp.ones(3), cp.ones(3)),
        lambda: cp.add.at(b, cp.asarray([0]), b[:1]),
        lambda: cp.maximum.at(cp.ones(3, "float16"), cp.asarray([0]), cp.ones(1, "float16")),
        lambda: cp.linalg.inv(cp.ones((1, 1), "float16")),
    ):
        with pytest.raises(TypeError):
            action()


def test_positions_wrap_around_and_repetitions_are_any(cp: Any) -> None:
    x = cp.arange(3.0)
    assert x[cp.asarray([3, -4])].tolist() == [0, 2]
    assert cp.take(x, cp.asarray([5])).tolist() == [2]
    x[cp.asarray([4])] = 9
    assert x.tolist() == [0, 9, 2]
    x[cp.asarray([0, 0])] = cp.asarray([5.0, 6.0])
    assert x[0].item() != 6, "NumPy leaves the last; CuPy any, here the first"
    with pytest.raises(IndexError):
        x[3]


def test_memory_is_the_pools(cp: Any) -> None:
    x = cp.empty((2, 3), "float32")
    assert x.data.mem.size == 512 and abs(float(x[0, 0])) > 1e30
    flat = cp.ndarray((3, 2), "float32", memptr=x.data, strides=(4, 12))
    flat[...] = 1
    assert x.sum().item() == 6 and flat.base is None and x[0].base is x
    assert (x.T + 1).flags.c_contiguous and not x.T.flags.c_contiguous


def test_arrays_stay_on_their_device(cp: Any) -> None:
    x = cp.ones(3)
    with cp.cuda.Device(1):
        y = cp.ones(3)
        assert y.device.id == 1 and x.copy().device.id == 1
        with pytest.raises(ValueError, match="different from the current device"):
            x + 1
    for action in (lambda: x + y, lambda: cp.concatenate([x, y]), lambda: y.sum(), lambda: y * 2):
        with pytest.raises(ValueError, match="different from the current device"):
            action()
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError):
        cp.cuda.Device(2).use()


def test_waiting_is_counted(cp: Any) -> None:
    x = cp.ones(3)
    with cuda_stand_in.waits() as found:
        y = (x + 1).sum() * 2
        x[1:] = 0
    assert not found
    for action in (y.item, y.get, x.tolist, lambda: bool(y), lambda: float(y), lambda: x[x > 0],
                   x.nonzero, lambda: cp.unique(x), lambda: cp.asnumpy(x)):  # fmt: skip
        with cuda_stand_in.waits() as found:
            action()
        assert sum(found.values()) == 1
        with cuda_stand_in.no_waits(), pytest.raises(cuda_stand_in.HiddenSynchronisation):
            action()


# --- what it knows of CuPy is true ----------------------------------------------------------------


def test_the_table_is_that_of_the_installed_cupy() -> None:
    if importlib.util.find_spec("cupy") is None:
        pytest.skip("CuPy is not installed, so the table is taken on trust")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import make_table as t, cupy;"
        "print(cupy.__version__); print(t.as_text(t.collect()), end='')"
    )
    folder = str(HERE / "cuda_stand_in")
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, folder], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    version, _, text = run.stdout.partition("\n")
    if version != _table.TABLE["cupy"]:
        pytest.skip(f"the table is of CuPy {_table.TABLE['cupy']}, and {version} is installed")
    assert text == as_text(_table.TABLE), "run tests/cuda_stand_in/make_table.py"


def _names(signature: inspect.Signature, skip: int = 0) -> list[tuple[str, Any, bool]]:
    parameters = list(signature.parameters.values())[skip:]
    return [(p.name, p.kind, p.default is p.empty) for p in parameters]


def test_methods_are_called_as_cupys() -> None:
    table, own = _table.TABLE["methods"], cuda_stand_in.ndarray
    ours = {n for n in dir(own) if not re.match("_[a-z]", n) and n not in dir(object)}
    extra = {"__array_priority__", "__array_ufunc__", "__array_function__", "__dlpack_device__",
             "__cuda_array_interface__", "__weakref__", "__annotations__"}  # fmt: skip
    assert ours <= {*table, *_table.TABLE["attributes"], *extra}, "CuPy's array has not got these"
    for name, parameters in table.items():
        method = getattr(own, name, None)
        if method is None or name.startswith("__"):
            continue
        wanted = _names(_table.signature(parameters))
        assert _names(inspect.signature(method), 1) == wanted, f"ndarray.{name}({parameters})"


def test_functions_are_called_as_cupys() -> None:
    for name, function in _functions._OWN.items():
        parameters = _table.TABLE["functions"].get(name)
        if parameters is None or name.endswith("matmul") or name.startswith("cupyx."):
            continue
        wanted = _names(_table.signature(parameters))
        assert _names(inspect.signature(function)) == wanted, f"{name}({parameters})"


# --- what it shows: nothing waits in secret -------------------------------------------------------

# The operations that have to wait, each with the reason.
WAITS = {
    "equal": "a Python bool", "allclose": "a Python bool",
    "masked_select": "its shape is how many are true",
    "masked_scatter": "how many are true says where each goes",
    "nonzero": "its shape is how many are not zero", "argwhere": "the same",
    "index_put": "by a mask", "repeat_interleave": "its shape is a sum of elements",
    "unique": "its shape is how many differ", "unique_consecutive": "the same",
    "bincount": "its shape is the greatest element", "histc": "its limits are elements",
    "where": "without values it is nonzero",
    "norm": "a decomposition, for two of its orders", "cov": "weights that are negative",
    "nn.functional.embedding_bag": "bags are laid side by side, as long as the longest",
    "nn.functional.one_hot": "the number of classes, where it is not given",
    "nn.functional.gaussian_nll_loss": "a variance that is negative, as in PyTorch",
    "istft": "a window that leaves gaps, as in PyTorch", "histogram": "its limits are elements",
    "histogramdd": "the same", "nonzero_static": "it counts what is not zero",
    "special.airy_ai": "CuPy has none: the host computes it",
    **{f"special.{family}": "the greatest degree says how far the recursion goes" for family in (
        *(f"{how}chebyshev_polynomial_{kind}" for how in ("", "shifted_") for kind in "tuvw"),
        "hermite_polynomial_h", "hermite_polynomial_he", "laguerre_polynomial_l",
        "legendre_polynomial_p",
    )},
}  # fmt: skip
# Whether a decomposition failed is looked at, so that it raises an error, as in PyTorch.
WAITING_FAMILIES = ("linalg",)


def _waits(row: Any) -> dict[str, int]:
    """What makes the host wait in the forward and the backward of the row's samples."""
    found: dict[str, int] = {}
    devgrad.set_default_device("cuda")
    for sample in row.samples():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                Call(devgrad, row, sample, grad=row.grad).run()  # what is kept is made here
            except Exception:
                continue  # test_ops looks at errors
            call = Call(devgrad, row, sample, grad=row.grad)
            with cuda_stand_in.waits() as forward:
                call.run()
            cotangents = call.cotangents()
            with cuda_stand_in.waits() as backward:
                call.gradients(cotangents=cotangents)
        found |= {f"forward: {what}": n for what, n in forward.items()}
        found |= {f"backward: {what}": n for what, n in backward.items()}
    return found


@pytest.mark.parametrize("row", ROWS)
def test_no_operation_waits_for_the_device(
    row: Any, cp: Any, request: pytest.FixtureRequest
) -> None:
    if request.node.callspec.id.partition(":")[0] in WAITING_FAMILIES:
        pytest.skip("it looks whether it failed")
    if row.name in WAITS:
        pytest.skip(f"it has to wait: {WAITS[row.name]}")
    assert _waits(row) == {}


@pytest.mark.parametrize("name", WAITS)
def test_what_is_said_to_wait_does(name: str, cp: Any) -> None:
    rows = [p.values[0] for p in ROWS if p.values[0].name == name]
    assert any(map(_waits, rows)), "it does not wait any more: take it off the list"


def test_the_regression_does_not_wait(cp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE.parent))
    from bench.workloads.regression import regression

    case = regression.build(devgrad, "cuda")
    case.step()
    with cuda_stand_in.no_waits():
        for _ in range(3):
            case.step()
    assert case.result()["loss"].device == devgrad.device("cuda:0")


# --- both devices, and several --------------------------------------------------------------------


def test_the_regression_ends_alike_on_both_devices(
    cp: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(HERE.parent))
    from bench.__main__ import main

    assert main(["regression", "--compare-devices"]) == 0
    text = capsys.readouterr().out
    assert "regression, 800 steps, cpu against cuda:0" in text and ": met" in text
    for name in ("loss", "w", "b"):
        assert re.search(rf"{name} +differs by at most [\d.e-]+ \(step \d+\)", text)


def test_a_second_device_computes_what_is_on_it(cp: Any) -> None:
    x = devgrad.tensor([1.0, -2.0, 3.0], device="cuda:1", requires_grad=True)
    y = devgrad.nn.functional.softmax(x * 2 + 1, 0)
    (g,) = devgrad.autograd.grad((y * y.exp()).sum(), x, create_graph=True)
    g.sum().backward()
    z = x.detach().clone()
    z.add_(1)[0] = 5
    for t in (y, g, x.grad, z, x[1], x[[0, 2]], x.sort().values, x.cumsum(0), devgrad.cat([x, y])):
        assert t.device == devgrad.device("cuda:1") and t._array.device.id == 1
    assert z.tolist() == [5.0, -1.0, 4.0]
    assert cp.cuda.runtime.getDevice() == 0
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        x + devgrad.ones(3, device="cuda:0")
    assert (x.to("cuda:0") + devgrad.ones(3, device="cuda:0")).tolist() == [2.0, -1.0, 4.0]
    assert x.to("cuda:0").device == devgrad.device("cuda:0")


def test_storages_end_where_they_end_not_where_the_pools_block_does(cp: Any) -> None:
    x = devgrad.zeros(2, 3, device="cuda")
    for base in (x, x[1:], x.as_strided((2, 2), (3, 1)), x.t()):
        with pytest.raises(RuntimeError, match="out of bounds for storage"):
            base.as_strided((7,), (1,), 0)
        assert base.as_strided((6,), (1,), 0).shape == (6,)


# --- mistakes that NumPy lets pass are caught -----------------------------------------------------

FAULTS = {  # row of the table -> what is right in the forward, and the mistake
    "exp": ("xp.exp(input)", "__import__('numpy').exp(input)"),
    "log1p": ("xp.log1p(input)", "xp.log1p(input, where=True)"),
    "log2": ("xp.log2(input)", "(input.reshape(-1)[:1].tolist(), xp.log2(input))[1]"),
}


def test_planted_mistakes_are_caught(tmp_path: Path) -> None:
    shutil.copytree(HERE.parent / "src" / "devgrad", tmp_path / "devgrad")
    for right, wrong in FAULTS.values():
        file = tmp_path / "devgrad" / "ops" / "elementwise.py"
        text = file.read_text(encoding="utf-8")
        assert text.count(f"return {right}\n") == 1, "nowhere to plant a mistake"
        file.write_text(text.replace(f"return {right}\n", f"return {wrong}\n"), "utf-8")
    names = " or ".join(f"elementwise:{name}]" for name in FAULTS)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-p", "no:xdist",
         "test_ops.py", "test_cuda_stand_in.py", "-k",
         f"({names}) and (values or no_operation_waits)"],
        cwd=HERE, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    found = dict(reversed(line.split()[:2]) for line in run.stdout.splitlines() if "::" in line)
    values = "test_ops.py::test_values_shapes_and_dtypes"
    waits = "test_cuda_stand_in.py::test_no_operation_waits_for_the_device"
    assert found, run.stdout + run.stderr
    for name in FAULTS:
        assert found[f"{values}[elementwise:{name}]"] == "PASSED", "NumPy lets it pass"
    for name in ("exp", "log1p"):
        assert found[f"{values}[stand-in-elementwise:{name}]"] == "FAILED"
    assert found[f"{values}[stand-in-elementwise:log2]"] == "PASSED"
    assert found[f"{waits}[elementwise:log2]"] == "FAILED"
