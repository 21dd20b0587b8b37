"""PyTorch's files, and what must not run: `devgrad.load` of pickles and state dicts."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import by_torch, loaded
from placement import numpy_of, placed

import devgrad


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch, the oracle, is missing")


# --- PyTorch ----------------------------------------------------------------------------------


def networks(torch: Any) -> list[Any]:
    made = []
    for lib in (devgrad, torch):
        lib.manual_seed(3)
        made.append(lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.Tanh(), lib.nn.Linear(4, 2)))
    return made


def test_state_dicts_go_both_ways(torch: Any, tmp_path: Path) -> None:
    theirs_module = pytest.importorskip("safetensors.torch")
    ours, theirs = networks(torch)
    path = tmp_path / "model.safetensors"
    with torch.no_grad():
        theirs[0].weight.mul_(3)
    theirs_module.save_file(theirs.state_dict(), path)
    ours.load_state_dict(devgrad.load(path))
    assert np.array_equal(numpy_of(ours[0].weight), numpy_of(theirs[0].weight))
    with devgrad.no_grad():
        ours[0].weight.mul_(5)
    devgrad.save(ours.state_dict(), path)
    theirs.load_state_dict(theirs_module.load_file(path))
    assert np.array_equal(numpy_of(ours[0].weight), numpy_of(theirs[0].weight))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pytorchs_own_files(torch: Any, protocol: int) -> None:
    ours, theirs = networks(torch)
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.02, betas=(0.8, 0.9))
    theirs(torch.randn(5, 3)).sum().backward()
    optimizer.step()
    grid = torch.arange(12.0).reshape(3, 4)
    rest = {
        "view": grid[1:, ::2], "whole": grid, "turned": grid.t(), "scalar": torch.tensor(2),
        "none": torch.zeros(0, 3), "flags": torch.tensor([True, False]),
        "half": torch.randn(3).half(), "complex": torch.randn(3, dtype=torch.complex128),
        "int8": torch.tensor([-3], dtype=torch.int8),
    }  # fmt: skip
    plain = {"n": [1, 2.5, None, True, "x", 10**30], "t": (1, 2, 3, 4), "s": {1, 2}, "b": b"\xff",
             "o": OrderedDict(a=1), "c": Counter("aab"), "z": 1 + 2j}  # fmt: skip
    state = {"model": theirs.state_dict(), "optimizer": optimizer.state_dict(), "rest": rest,
             "plain": plain, "dtype": torch.float16, "device": torch.device("cpu"),
             "size": grid.shape}  # fmt: skip
    found = loaded(by_torch(torch, state, pickle_protocol=protocol))
    assert found["plain"] == plain
    assert found["dtype"] is devgrad.float16 and found["size"] == (3, 4)
    assert found["device"] == devgrad.device("cpu")
    for name, tensor in rest.items():
        assert numpy_of(found["rest"][name]).dtype == numpy_of(tensor).dtype
        assert np.array_equal(numpy_of(found["rest"][name]), numpy_of(tensor))
        assert found["rest"][name].stride() == tensor.stride()
    found["rest"]["view"].fill_(9)  # memory that was shared is shared
    assert found["rest"]["whole"][1].tolist() == [9, 5, 9, 7]
    assert found["rest"]["turned"][0].tolist() == [0, 9, 9]

    ours.load_state_dict(found["model"])
    for p, q in zip(ours.parameters(), theirs.parameters()):
        assert np.array_equal(numpy_of(p), numpy_of(q))
    our_optimizer = devgrad.optim.Adam(ours.parameters())
    our_optimizer.load_state_dict(found["optimizer"])
    assert our_optimizer.param_groups[0]["betas"] == (0.8, 0.9)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("f4")
    for lib, model, opt in ((devgrad, ours, our_optimizer), (torch, theirs, optimizer)):
        opt.zero_grad()
        model(placed(lib, x)).sum().backward()
        opt.step()
    for p, q in zip(ours.parameters(), theirs.parameters()):
        assert np.allclose(numpy_of(p), numpy_of(q), rtol=1e-5, atol=1e-7)


def test_pytorchs_parameters(torch: Any) -> None:
    for grad in (True, False):
        found = loaded(by_torch(torch, torch.nn.Parameter(torch.ones(2), requires_grad=grad)))
        assert type(found) is devgrad.nn.Parameter and found.requires_grad is grad
    assert loaded(by_torch(torch, torch.ones(2, requires_grad=True))).requires_grad


def test_bfloat16_is_widened(torch: Any) -> None:
    values = torch.tensor([1.0, -2.5, 3.14159, float("inf"), 1e-40]).bfloat16()
    save = pytest.importorskip("safetensors.torch").save
    for data in (by_torch(torch, {"x": values}), save({"x": values})):
        found = loaded(data)["x"]
        assert found.dtype is devgrad.float32
        assert np.array_equal(numpy_of(found), values.float().numpy())


# --- what must not run ------------------------------------------------------------------------


class Evil:
    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


def zipped(program: bytes, **records: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        for name, data in records.items():
            archive.writestr(f"archive/data/{name}", data)
    return file.getvalue()


def test_pickles_run_no_code(tmp_path: Path) -> None:
    mark = tmp_path / "was here"
    programs = [
        pickle.dumps(Evil(os.system, f"touch '{mark}'"), protocol=p) for p in range(6)
    ]  # fmt: skip
    programs += [
        pickle.dumps({"w": Evil(exec, f"open({str(mark)!r}, 'w')")}),
        pickle.dumps(Evil(eval, "1 + 1")),
        pickle.dumps(Evil(getattr, "x", "upper")),
        pickle.dumps(Evil(__import__, "os")),
        b"cos\nsystem\n(S'touch mark'\ntR.",  # protocol 0
        b"(S'touch mark'\nios\nsystem\n.",  # INST
        b"ccollections\nOrderedDict\n(tR}X\x05\x00\x00\x00clearcos\nsystem\nsb.",
        b"ccollections\nOrderedDict\n(tR}X\x05\x00\x00\x00clearNsb.",  # an attribute
        b"ccollections\nOrderedDict\n}X\x05\x00\x00\x00clearNsb.",  # and one of the class
        b"\x80\x02X\x01\x00\x00\x00aX\x01\x00\x00\x00b\x86R.",  # a call of a tuple
        b"ctorch\nFloatStorage\n(tR.",
        b"ccollections\nOrderedDict.clear\n)R.",
        b"\x80\x02X\x01\x00\x00\x00aQ.",  # a persistent id that is none
    ]
    for program in programs:
        with pytest.raises((pickle.UnpicklingError, RuntimeError)) as caught:
            loaded(zipped(program))
        assert not mark.exists()
        if program in programs[:10]:
            assert "Weights only load failed. Unsupported" in str(caught.value)
            assert "allowed global" in str(caught.value) or "operand" in str(caught.value)
        with pytest.raises((RuntimeError, pickle.UnpicklingError)):
            loaded(program)  # bare
    assert not mark.exists()


def test_torch_refuses_what_we_refuse(torch: Any) -> None:
    _, theirs = networks(torch)
    data = by_torch(torch, theirs)  # a whole module
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        torch.load(io.BytesIO(data), weights_only=True)
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed.*Sequential"):
        loaded(data, weights_only=False)
    old = by_torch(torch, {"w": torch.ones(2)}, _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="Invalid magic number.*before 1.6"):
        loaded(old)


def test_damaged_files_of_pytorch(torch: Any) -> None:
    data = by_torch(torch, {"w": torch.ones(5)})
    with pytest.raises(RuntimeError, match="PytorchStreamReader failed"):
        loaded(data[:-30])
    with pytest.raises(RuntimeError, match="data.pkl: file not found"):
        file = io.BytesIO()
        zipfile.ZipFile(file, "w").writestr("a/b", b"")
        loaded(file.getvalue() + b"")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        program = archive.read("archive/data.pkl")
    for short in (b"", bytes(19), bytes(21)):
        with pytest.raises(RuntimeError, match="should hold 5 elements of float32"):
            loaded(zipped(program, **{"0": short}))
    assert loaded(zipped(program, **{"0": bytes(20)}))["w"].tolist() == [0] * 5
    bent = program.replace(b"K\x05", b"K\x06", 2).replace(b"K\x06", b"K\x05", 1)  # the size alone
    assert bent != program
    with pytest.raises(RuntimeError, match="lies outside of its storage"):
        loaded(zipped(bent, **{"0": bytes(20)}))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_bent_pickles_do_no_harm(data: st.DataObject) -> None:
    torch = pytest.importorskip("torch")
    state = {"w": torch.ones(3), "n": [1, (2, "x")], "o": OrderedDict(a=torch.zeros(2))}
    with zipfile.ZipFile(io.BytesIO(by_torch(torch, state))) as archive:
        program = bytearray(archive.read("archive/data.pkl"))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(program) - 1))
        program[position] = data.draw(st.integers(0, 255))
    try:
        loaded(zipped(bytes(program), **{"0": bytes(12), "1": bytes(8)}))
    except (RuntimeError, pickle.UnpicklingError):
        pass
