"""`devgrad.save` and `devgrad.load`, held against the safetensors package and PyTorch."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import by_torch, loaded, saved
from placement import numpy_of, placed

import devgrad

safetensors_numpy = pytest.importorskip("safetensors.numpy", reason="safetensors is missing")

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64",
          "complex64", "complex128"]  # fmt: skip


def again(obj: Any) -> Any:
    return loaded(saved(obj))


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    made = {}
    for name in DTYPES:
        values = rng.integers(-9, 9, (3, 4)) + (1j if name.startswith("c") else 0)
        made[name] = (values if name != "uint8" else abs(values)).astype(name)
    return {**made, "scalar": np.array(2.5), "none": np.zeros((0, 3), "f4")}


# --- what comes back --------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*arrays()])
def test_tensors_come_back_with_their_bits(name: str) -> None:
    array = arrays()[name]
    back = again([placed(devgrad, array), placed(devgrad, array.T)])
    for tensor, expected in zip(back, (array, array.T)):
        assert tensor.device == placed(devgrad, array).device
        assert numpy_of(tensor).dtype == array.dtype
        assert numpy_of(tensor).tobytes() == expected.tobytes()
        assert tensor.shape == expected.shape


def test_everything_that_checkpoints_hold_comes_back() -> None:
    value = {
        "none": None, "yes": True, "n": 10**30, "x": 0.1, "tiny": 5e-324, "text": "né\ud7ff\n",
        "infinite": [float("inf"), float("-inf")], "complex": 1 - 2j, "bytes": b"\0\xff",
        "array": bytearray(b"ab"), "tuple": (1, (2,), []), "set": {1, "a"}, "Size": None,
        "frozen": frozenset({2}), 3: "int", (1, 2): "tuple", None: "None", 2.5: "float",
        "ordered": OrderedDict([("b", 1), ("a", 2)]), "counter": Counter("aab"),
        "dtype": devgrad.float16, "device": devgrad.device("cuda:1"), "tensor": {"tensor": "no"},
        "a.b": {"c": 1}, "__metadata__": {"format": "x"},
    }  # fmt: skip
    back = again(value)
    assert back == value
    assert list(back) == list(value)
    assert [type(v) for v in back.values()] == [type(v) for v in value.values()]
    assert type(again(devgrad.zeros(2, 3).shape)) is devgrad.Size
    nan, minus = again([float("nan"), -0.0])
    assert nan != nan and str(minus) == "-0.0"


def test_tensors_are_found_by_their_place_also_where_names_collide() -> None:
    value = {"a": {"b": devgrad.zeros(1)}, "a.b": devgrad.ones(1), "__metadata__": devgrad.ones(2)}
    back = again(value)
    assert back["a"]["b"].item() == 0 and back["a.b"].item() == 1
    assert back["__metadata__"].shape == (2,)
    assert list(safetensors_numpy.load(saved({"m": {"w": devgrad.ones(1)}}))) == ["m.w"]


def test_what_requires_grad_does_so_again() -> None:
    weight, plain = again([devgrad.nn.Parameter(devgrad.ones(2)), devgrad.ones(2)])
    assert type(weight) is devgrad.nn.Parameter and weight.requires_grad
    assert type(plain) is devgrad.Tensor and not plain.requires_grad
    computed = devgrad.ones(2, requires_grad=True) * 2
    (leaf,) = again([computed])
    assert leaf.is_leaf and leaf.requires_grad
    (frozen,) = again([devgrad.nn.Parameter(devgrad.ones(2), requires_grad=False)])
    assert type(frozen) is devgrad.nn.Parameter and not frozen.requires_grad


def test_a_state_dict_keeps_its_versions() -> None:
    state = devgrad.nn.Sequential(devgrad.nn.Linear(2, 1)).state_dict()
    back = again({"model": state, "more": 1})["model"]
    assert type(back) is OrderedDict and back._metadata == state._metadata


@pytest.mark.parametrize("value", [object(), devgrad.nn.ReLU(), print, np.float32, np.zeros(2)])
def test_what_cannot_be_saved_is_named_and_nothing_changes(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    devgrad.save({"w": devgrad.ones(1)}, path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match="the value at 'model.bad'.*state_dict"):
        devgrad.save({"model": {"bad": value}}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_contains_itself_is_refused() -> None:
    value: list[Any] = [1]
    value.append(value)
    with pytest.raises(TypeError, match="'1': it contains itself"):
        saved(value)
    twice = [1]
    assert again([twice, twice]) == [[1], [1]]


OPTIMIZERS = ["SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta", "RMSprop",
              "Rprop", "ASGD", "LBFGS", "Adafactor", "Muon"]  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizers_state_comes_back(name: str) -> None:
    def step(optimizer: Any, w: Any) -> None:
        def closure() -> Any:
            optimizer.zero_grad()
            loss = (w**4).sum()
            loss.backward()
            return loss

        optimizer.step(closure)

    w = devgrad.ones(3, 2, requires_grad=True)
    options = {"momentum": 0.9} if name == "SGD" else {}
    first = getattr(devgrad.optim, name)([w], lr=0.01, **options)
    step(first, w)
    step(first, w)
    twin = w.detach().clone().requires_grad_()
    second = getattr(devgrad.optim, name)([twin], lr=0.5, **options)
    second.load_state_dict(again(first.state_dict()))
    for _ in range(2):
        step(first, w)
        step(second, twin)
    assert numpy_of(w).tobytes() == numpy_of(twin).tobytes()


SCHEDULERS = {
    "StepLR": lambda s, o: s.StepLR(o, 2),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 4]),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, 1.0, total_steps=20),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.1, 0.2),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3),
    "SequentialLR": lambda s, o: s.SequentialLR(o, [s.ConstantLR(o), s.LinearLR(o)], [3]),
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda epoch: 0.9**epoch),
    "ReduceLROnPlateau": lambda s, o: s.ReduceLROnPlateau(o, patience=1),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_schedulers_state_comes_back(name: str) -> None:
    def run(saves: bool) -> list[float]:
        optimizer = devgrad.optim.SGD([devgrad.ones(1, requires_grad=True)], lr=0.1, momentum=0.9)
        scheduler = SCHEDULERS[name](devgrad.optim.lr_scheduler, optimizer)
        rates = []
        for i in range(8):
            if saves and i == 4:
                state = again([optimizer.state_dict(), scheduler.state_dict()])
                optimizer = devgrad.optim.SGD(
                    [devgrad.ones(1, requires_grad=True)], lr=0.1, momentum=0.9
                )
                scheduler = SCHEDULERS[name](devgrad.optim.lr_scheduler, optimizer)
                optimizer.load_state_dict(state[0])
                scheduler.load_state_dict(state[1])
            optimizer.step()
            scheduler.step(*[1.0] if name == "ReduceLROnPlateau" else [])
            rates.append(optimizer.param_groups[0]["lr"])
        return rates

    assert run(saves=True) == run(saves=False)


# --- files ------------------------------------------------------------------------------------


def test_a_failed_save_leaves_the_file_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    devgrad.save({"w": devgrad.ones(3)}, path)

    def full(_: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        devgrad.save({"w": devgrad.zeros(3)}, path)
    assert devgrad.load(path)["w"].tolist() == [1, 1, 1]
    assert list(tmp_path.iterdir()) == [path]


def test_paths_of_all_kinds(tmp_path: Path) -> None:
    path, link = tmp_path / "a b.pt", tmp_path / "link"
    devgrad.save([1], str(path))
    assert devgrad.load(os.fsencode(path)) == [1]
    if sys.platform != "win32":
        path.chmod(0o640)
        link.symlink_to(path)
        devgrad.save([2], link)
        assert link.is_symlink() and devgrad.load(path) == [2]
        assert path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(RuntimeError, match="Parent directory .* does not exist."):
        devgrad.save([1], tmp_path / "nowhere" / "x")
    with pytest.raises(IsADirectoryError):
        devgrad.save([1], tmp_path)
    with pytest.raises(FileNotFoundError):
        devgrad.load(tmp_path / "nothing")


def test_a_file_is_read_from_where_it_stands() -> None:
    file = io.BytesIO()
    file.write(b"before")
    devgrad.save({"w": devgrad.ones(2)}, file)
    file.seek(6)
    assert devgrad.load(file)["w"].tolist() == [1, 1]


# --- the format -------------------------------------------------------------------------------


def test_the_safetensors_package_reads_ours(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    expected = {name: a for name, a in arrays().items() if name != "complex128"}
    devgrad.save({name: devgrad.as_tensor(a, device="cpu") for name, a in expected.items()}, path)
    found = safetensors_numpy.load_file(path)
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array)
    length = int.from_bytes(path.read_bytes()[:8], "little")
    assert length % 8 == 0


def test_we_read_the_safetensors_packages() -> None:
    expected = {name: a for name, a in arrays().items() if name != "complex128"}
    found = loaded(safetensors_numpy.save(expected, {"made": "there"}))
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert numpy_of(found[name]).dtype == array.dtype
        assert np.array_equal(numpy_of(found[name]), array)


def test_a_plain_state_dict_says_nothing_of_devgrad() -> None:
    data = saved({"w": devgrad.ones(2, device="cpu")})
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert header == {
        "__metadata__": {"format": "pt"},
        "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
    }


def file_of(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(begin: int, end: int, shape: Any = None, dtype: str = "U8") -> dict[str, Any]:
    shape = [end - begin] if shape is None else shape
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


DAMAGED = {
    "empty": (b"", "header too small"),
    "seven bytes": (b"\1" * 7, "header too small"),
    "absurd length": (file_of({}, length=2**63), "header too large"),
    "longer than the file": (file_of({}, length=100), "invalid header length"),
    "no JSON": (file_of(b"{]"), "invalid JSON"),
    "no object": (file_of(b"[]"), "invalid header start"),
    "space before": (file_of(b" {}"), "invalid header start"),
    "no UTF-8": (file_of(b'{"\xff": 1}'), "invalid UTF-8"),
    "nested deeply": (file_of(b'{"a":' * 100_000), "nested too deeply|invalid JSON"),
    "cut tail": (file_of({"a": entry(0, 4)}, b"123"), "not fully covered.*it was cut"),
    "more at the end": (file_of({"a": entry(0, 2)}, b"123"), "not fully covered.*more in it"),
    "overlap": (file_of({"a": entry(0, 4), "b": entry(2, 6)}, b"123456"), "'b'.*overlaps 'a'"),
    "the same bytes": (file_of({"a": entry(0, 4), "b": entry(0, 4)}, b"1234"), "overlaps"),
    "gap": (file_of({"a": entry(0, 2), "b": entry(3, 4)}, b"1234"), "leaves a gap"),
    "out of range": (file_of({"a": entry(0, 10**15)}, b"1234"), "not fully covered"),
    "begins after its end": (file_of({"a": entry(4, 0, [4])}, b"1234"), "invalid shape"),
    "negative": (file_of({"a": entry(-4, 0, [4])}, b"1234"), "data_offsets"),
    "negative size": (file_of({"a": entry(0, 4, [-1, -4])}, b"1234"), "has shape"),
    "no whole number": (file_of({"a": entry(0, 4, [4.0])}, b"1234"), "has shape"),
    "a truth": (file_of({"a": entry(0, 1, [True])}, b"1"), "has shape"),
    "wrong size": (file_of({"a": entry(0, 4, [5])}, b"1234"), "invalid shape, data type"),
    "overflow": (file_of({"a": entry(0, 0, [2**40, 2**40])}, b""), "invalid shape, data type"),
    "unknown dtype": (file_of({"a": entry(0, 4, dtype="X9")}, b"1234"), "does not have"),
    "dtype that is none": (file_of({"a": {**entry(0, 4), "dtype": [1]}}, b"1234"), "not have"),
    "no entry": (file_of({"a": 1}), "'a' is 1"),
    "nothing in it": (file_of({"a": {}}), "'a' is {}"),
    "metadata of numbers": (file_of({"__metadata__": {"a": 1}}), "invalid metadata"),
    "metadata of none": (file_of({"__metadata__": [1]}), "invalid metadata"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_files_are_refused(case: str) -> None:
    data, message = DAMAGED[case]
    with pytest.raises(RuntimeError, match=message):
        loaded(data)
    if case == "space before":
        return  # the specification forbids it, the reference implementation lets it pass
    with pytest.raises(Exception):  # noqa: B017  (it has an error of its own)
        safetensors_numpy.load(data)


def test_duplicate_keys_are_refused() -> None:
    one = json.dumps(entry(0, 4))
    data = file_of(f'{{"a": {one}, "a": {one}}}'.encode(), b"1234")
    with pytest.raises(RuntimeError, match="duplicate key: 'a' is there twice"):
        loaded(data)
    data = file_of(b'{"a": {"dtype": "U8", "dtype": "I8", "shape": [0], "data_offsets": [0, 0]}}')
    with pytest.raises(RuntimeError, match="duplicate key: 'dtype'"):
        loaded(data)


@pytest.mark.parametrize("text", [
    "{}", "[", '{"tensor": "missing"}', '{"tensor": 1}', '{"dict": 3}', '{"dict": [[1]]}',
    '{"dict": [[[], 1]]}', '{"call": "print"}', '{"dtype": "bfloat16"}', '{"device": "moon"}',
    '{"tensor": "w", "class": "Module"}', '{"tensor": "w", "complex": true}',
    '{"tensor": "w", "requires_grad": true}', "[" * 100_000, '{"bytes": 3}', '{"float": "x"}',
    '{"list": [], "metadata": 3}', '{"set": [[]]}',
])  # fmt: skip
def test_a_damaged_structure_is_refused(text: str) -> None:
    header = {"__metadata__": {"devgrad": text}, "w": entry(0, 4)}
    with pytest.raises(RuntimeError):
        loaded(file_of(header, b"1234"))


def check_bent(data: bytes, draw: st.DataObject) -> None:
    """However a file is bent, it is read, or refused by one of two errors."""
    bent = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        position = draw.draw(st.integers(0, len(bent) - 1))
        bent[position] = draw.draw(st.integers(0, 255))
    bent = bent[: draw.draw(st.sampled_from([len(bent), len(bent) - 1, len(bent) // 2]))]
    try:
        loaded(bytes(bent))
    except (RuntimeError, pickle.UnpicklingError):
        pass


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_bent_files_do_no_harm(data: st.DataObject) -> None:
    state = {"a": devgrad.ones(3, device="cpu"), "b": [1, (2, {"x": devgrad.zeros(2)})]}
    check_bent(saved(state), data)


# --- devices ----------------------------------------------------------------------------------


def test_map_location(device: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is missing")
    here = devgrad.get_default_device()
    tensor = devgrad.ones(2)
    data = saved([tensor])
    assert loaded(data)[0].device == tensor.device
    assert loaded(data, map_location="cpu")[0].device.type == "cpu"
    for where in (device, here, devgrad.device(device)):
        for file in (data, saved({"0": devgrad.ones(2, device="cpu")})):
            found = loaded(file, map_location=where)
            assert found[0 if file is data else "0"].device.type == device
    name = str(tensor.device)
    assert loaded(data, map_location={name: "cpu"})[0].device.type == "cpu"
    assert loaded(data, map_location={"cuda:7": "cpu"})[0].device == tensor.device
    seen = []

    def keep(storage: Any, location: str) -> Any:
        seen.append((storage.device.type, location))
        return storage

    assert loaded(data, map_location=keep)[0].device.type == "cpu"
    assert seen == [("cpu", name)]
    assert loaded(data, map_location=lambda s, at: None)[0].device == tensor.device
    theirs = by_torch(torch, {"w": torch.ones(2)})
    assert loaded(theirs)["w"].device.type == "cpu"
    assert loaded(theirs, map_location=device)["w"].device.type == device


# --- going on ---------------------------------------------------------------------------------

TRAINING = """
import os, random, signal, sys, time
import devgrad as torch

WIDTH = 64


class Run:
    def __init__(self):
        torch.manual_seed(1)
        self.model = torch.nn.Sequential(
            torch.nn.Linear(8, WIDTH), torch.nn.Dropout(0.3), torch.nn.Linear(WIDTH, 1)
        )
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 50)
        self.step = 0

    def train(self):
        x = torch.randn(16, 8)
        loss = ((self.model(x) - x.sum(1, keepdim=True)) ** 2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        self.step += 1

    def save(self, path, padding=0):
        torch.save({
            "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(), "random": torch.get_rng_state(),
            "step": self.step, "padding": torch.zeros(padding),
        }, path)

    def load(self, path):
        state = torch.load(path)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        torch.set_rng_state(state["random"])
        self.step = state["step"]

    def bits(self):
        parts = [p.detach().cpu().numpy().tobytes() for p in self.model.parameters()]
        state = [v.cpu().numpy().tobytes() for s in self.optimizer.state_dict()["state"].values()
                 for v in s.values()]
        return parts + state
"""

KILLING = (
    TRAINING
    + """
path, kills = sys.argv[1], int(sys.argv[2])
folder = os.path.dirname(path)
random.seed(0)
Run().save(path)
run = Run()
start = time.perf_counter()
run.save(path, 300_000)
once = time.perf_counter() - start
hit = 0
for _ in range(kills):
    ready, tell = os.pipe()
    child = os.fork()
    if not child:
        try:
            run = Run()
            run.load(path)
            run.train()
            os.write(tell, b".")
            while True:
                run.save(path, 300_000)
                run.train()
        finally:
            os._exit(1)  # not reached but by an error
    os.close(tell)
    os.read(ready, 1)
    os.close(ready)
    time.sleep(random.uniform(0, 4 * once))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the child died by itself"
    others = [name for name in os.listdir(folder) if name != os.path.basename(path)]
    assert len(others) <= 1, others  # what was left before has been removed
    hit += len(others)
    torch.load(path)
resumed = Run()
resumed.load(path)
steps = resumed.step
for _ in range(3):
    resumed.train()
resumed.save(path)
assert os.listdir(folder) == [os.path.basename(path)]
whole = Run()
for _ in range(steps + 3):
    whole.train()
assert resumed.bits() == whole.bits()
print(hit, steps)
"""
)


def test_training_goes_on_bit_for_bit(tmp_path: Path, device: str) -> None:
    if device != "cpu":
        pytest.skip("the promise is for the CPU")
    space: dict[str, Any] = {}
    exec(TRAINING, space)
    whole, first, second = space["Run"](), None, None
    for _ in range(7):
        whole.train()
    first = space["Run"]()
    for _ in range(4):
        first.train()
    first.save(tmp_path / "x")
    second = space["Run"]()
    devgrad.randn(7)  # the stream stands elsewhere
    second.load(tmp_path / "x")
    assert second.scheduler.get_last_lr() == first.scheduler.get_last_lr()
    for _ in range(3):
        second.train()
    assert second.bits() == whole.bits()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")
@pytest.mark.host_only(reason="it starts processes")
def test_killed_while_saving(tmp_path: Path) -> None:
    """Fifty times: the checkpoint can be loaded, and goes on as if nothing had happened."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", KILLING, str(folder / "last.safetensors"), "50"],
        capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(devgrad.__file__).parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    hit, steps = map(int, done.stdout.split())
    assert hit >= 10, "too few of the processes were in the middle of saving"
    assert steps >= 5, "too few steps were saved"
