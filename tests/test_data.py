"""Datasets, samplers and the DataLoader, compared with PyTorch's; and workers that die."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from collections import OrderedDict, UserDict, namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from agreement import assert_agrees, torch

import devgrad
from devgrad.utils import data

pytestmark = [
    pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed"),
    # On a machine with few processors, both libraries warn of any workers.
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

Point = namedtuple("Point", "x y")


def rows(lib: Any, n: int = 23) -> Any:
    return lib.utils.data.TensorDataset(lib.arange(n).float(), lib.arange(n) * 10)


def batches(loader: Any) -> list[Any]:
    return [batch for batch in loader]


# --- datasets -------------------------------------------------------------------------------------


class Squares:
    """A dataset that counts how often it is asked."""

    def __init__(self, n: int = 10) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> int:
        if not 0 <= index < self.n:
            raise IndexError(index)
        return index * index


def stream(lib: Any, n: int) -> Any:
    class Stream(lib.utils.data.IterableDataset):
        def __iter__(self) -> Iterator[int]:
            return iter(range(n))

        def __len__(self) -> int:
            return n

    return Stream()


def mapping(lib: Any, n: int = 4) -> Any:
    class Mapping(lib.utils.data.Dataset):
        def __len__(self) -> int:
            return n

        def __getitem__(self, index: int) -> Any:
            return index * 10

    return Mapping()


DATASETS: dict[str, Callable[[Any], Any]] = {
    "tensors": lambda lib: [rows(lib)[3], len(rows(lib)), rows(lib)[[1, 2]], rows(lib)[2:4]],
    "tensors of unequal sizes": lambda lib: lib.utils.data.TensorDataset(lib.ones(2), lib.ones(3)),
    "concat": lambda lib: [
        list(lib.utils.data.ConcatDataset([Squares(3), Squares(2)])[i] for i in (0, 2, 3, 4, -1)),
        len(lib.utils.data.ConcatDataset([Squares(3), Squares(2)])),
        lib.utils.data.ConcatDataset([Squares(3), Squares(2)]).cumulative_sizes,
    ],
    "concat outside": lambda lib: lib.utils.data.ConcatDataset([Squares(3)])[-4],
    "concat nothing": lambda lib: lib.utils.data.ConcatDataset([]),
    "concat streams": lambda lib: lib.utils.data.ConcatDataset([stream(lib, 2)]),
    "plus": lambda lib: [(mapping(lib) + mapping(lib))[5], len(mapping(lib) + mapping(lib))],
    "chain": lambda lib: [list(stream(lib, 2) + stream(lib, 3)), len(stream(lib, 2) + stream(lib, 3))],
    "chain lists": lambda lib: list(lib.utils.data.ChainDataset([[1]])),
    "subset": lambda lib: [
        lib.utils.data.Subset(Squares(), [3, 1])[0], len(lib.utils.data.Subset(Squares(), [3, 1])),
        lib.utils.data.Subset(Squares(), [3, 1]).__getitems__([1, 0]),
    ],
    "stack": lambda lib: [
        lib.utils.data.StackDataset(Squares(3), mapping(lib, 3))[1],
        lib.utils.data.StackDataset(a=Squares(3), b=mapping(lib, 3))[1],
        lib.utils.data.StackDataset(a=Squares(3)).__getitems__([0, 2]),
        lib.utils.data.StackDataset(Squares(3)).__getitems__([0, 2]),
        len(lib.utils.data.StackDataset(Squares(3))),
    ],
    "stack unequal": lambda lib: lib.utils.data.StackDataset(Squares(3), Squares(2)),
    "stack nothing": lambda lib: lib.utils.data.StackDataset(),
    "stack both": lambda lib: lib.utils.data.StackDataset(Squares(3), a=Squares(3)),
    "no getitem": lambda lib: lib.utils.data.Dataset()[0],
}  # fmt: skip


@pytest.mark.parametrize("name", DATASETS)
def test_datasets(name: str) -> None:
    assert_agrees(lambda lib: DATASETS[name](lib))


def test_a_subset_class_must_define_both() -> None:
    def program(lib: Any) -> Any:
        class Half(lib.utils.data.Subset):
            def __getitem__(self, index: Any) -> Any:
                return 1

        return Half(Squares(), [1])

    assert_agrees(program)


SPLITS: list[Any] = [
    [5, 18], [0.5, 0.5], [0.1, 0.2, 0.7], [23, 0], [0.99, 0.01], [5, 5], [0.5, 0.6], [1.5, -0.5],
]  # fmt: skip


@pytest.mark.parametrize("lengths", SPLITS, ids=str)
@pytest.mark.parametrize("generator", [True, False])
def test_random_split(lengths: Any, generator: bool) -> None:
    def program(lib: Any) -> Any:
        lib.manual_seed(5)
        own = {"generator": lib.Generator().manual_seed(3)} if generator else {}
        parts = lib.utils.data.random_split(rows(lib), lengths, **own)
        return [list(part.indices) for part in parts], lib.rand(1) if on_cpu() else None

    assert_agrees(program)


def on_cpu() -> bool:
    return devgrad.get_default_device().type == "cpu"


# --- samplers -------------------------------------------------------------------------------------

SAMPLERS: dict[str, Callable[[Any, Any], Any]] = {
    "sequential": lambda s, g: s.SequentialSampler(range(7)),
    "random": lambda s, g: s.RandomSampler(range(7)),
    "random of a generator": lambda s, g: s.RandomSampler(range(7), generator=g),
    "replacement": lambda s, g: s.RandomSampler(range(7), replacement=True, num_samples=70),
    "replacement 64": lambda s, g: s.RandomSampler(
        range(7), replacement=True, num_samples=64, generator=g
    ),
    "more than there are": lambda s, g: s.RandomSampler(range(7), num_samples=17, generator=g),
    "fewer": lambda s, g: s.RandomSampler(range(7), num_samples=3),
    "subset": lambda s, g: s.SubsetRandomSampler([4, 5, 6, 9], generator=g),
    "weighted": lambda s, g: s.WeightedRandomSampler([0.1, 0.9, 0.0, 3.0], 9, generator=g),
    "weighted without": lambda s, g: s.WeightedRandomSampler([0.1, 0.9, 3.0], 3, replacement=False),
    "batches": lambda s, g: s.BatchSampler(range(7), 3, False),
    "whole batches": lambda s, g: s.BatchSampler(s.SequentialSampler(range(7)), 3, True),
    "replacement no bool": lambda s, g: s.RandomSampler(range(7), replacement=1),
    "no samples": lambda s, g: s.RandomSampler([]),
    "weights of two dimensions": lambda s, g: s.WeightedRandomSampler([[1.0]], 1),
    "weighted no samples": lambda s, g: s.WeightedRandomSampler([1.0], 0),
    "weighted no bool": lambda s, g: s.WeightedRandomSampler([1.0], 1, replacement=2),
    "batch size": lambda s, g: s.BatchSampler(range(3), 0, False),
    "drop last": lambda s, g: s.BatchSampler(range(3), 1, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers(name: str) -> None:
    def program(lib: Any) -> Any:
        lib.manual_seed(8)
        sampler = SAMPLERS[name](lib.utils.data, lib.Generator().manual_seed(2))
        return list(sampler), list(sampler), len(sampler)

    assert_agrees(program)


# --- collating ------------------------------------------------------------------------------------

SAMPLES: dict[str, Callable[[Any], Any]] = {
    "tensors": lambda lib: [lib.ones(2), lib.zeros(2)],
    "integers": lambda lib: [1, 2],
    "floats": lambda lib: [1.5, 2.0],
    "booleans": lambda lib: [True, False],
    "texts": lambda lib: ["a", "b"],
    "bytes": lambda lib: [b"a", b"b"],
    "arrays": lambda lib: [np.ones(2, "float32"), np.zeros(2, "float32")],
    "numpy numbers": lambda lib: [np.float32(1), np.float32(2)],
    "numpy integers": lambda lib: [np.int16(1), np.int16(2)],
    "tuples": lambda lib: [(1, "a", lib.ones(1)), (2, "b", lib.ones(1))],
    "lists": lambda lib: [[1, 2.0], [3, 4.0]],
    "dicts": lambda lib: [{"a": 1, "b": (1, 2)}, {"a": 3, "b": (3, 4)}],
    "ordered dicts": lambda lib: [OrderedDict(a=1), OrderedDict(a=2)],
    "user dicts": lambda lib: [UserDict(a=1), UserDict(a=2)],
    "named tuples": lambda lib: [Point(1, 2.0), Point(3, 4.0)],
    "nested": lambda lib: [{"a": [Point(1, "t")]}, {"a": [Point(2, "u")]}],
    "sets": lambda lib: [{1}, {2}],
    "nothing": lambda lib: [None, None],
    "arrays of text": lambda lib: [np.array(["a"]), np.array(["b"])],
    "unequal lengths": lambda lib: [[1, 2], [1]],
    "unequal shapes": lambda lib: [lib.ones(1), lib.ones(2)],
}


@pytest.mark.parametrize("name", SAMPLES)
def test_default_collate(name: str) -> None:
    def program(lib: Any) -> Any:
        made = lib.utils.data.default_collate(SAMPLES[name](lib))
        return type(made).__name__, made

    assert_agrees(program)


@pytest.mark.parametrize("name", SAMPLES)
def test_default_convert(name: str) -> None:
    def program(lib: Any) -> Any:
        made = lib.utils.data.default_convert(SAMPLES[name](lib))
        return type(made).__name__, str(type(made[0]).__name__), [made[0]]

    assert_agrees(program)


# --- loading in the main process ------------------------------------------------------------------

LOADERS: dict[str, Callable[[Any, Any], Any]] = {
    "plain": lambda lib, D: D(rows(lib)),
    "batches": lambda lib, D: D(rows(lib), batch_size=5),
    "whole batches": lambda lib, D: D(rows(lib), batch_size=5, drop_last=True),
    "shuffled": lambda lib, D: D(rows(lib), batch_size=5, shuffle=True),
    "generator": lambda lib, D: D(
        rows(lib), batch_size=5, shuffle=True, generator=lib.Generator().manual_seed(9)
    ),
    "sampler": lambda lib, D: D(rows(lib), 4, sampler=[3, 1, 4, 1, 5]),
    "batch sampler": lambda lib, D: D(rows(lib), batch_sampler=[[3, 1], [4]]),
    "one by one": lambda lib, D: D(rows(lib), batch_size=None),
    "own collate": lambda lib, D: D(Squares(), batch_size=3, collate_fn=sum),
    "numbers": lambda lib, D: D(Squares(), batch_size=3),
    "split": lambda lib, D: D(
        lib.utils.data.random_split(rows(lib), [0.6, 0.4])[0], batch_size=4, shuffle=True
    ),
    "stream": lambda lib, D: D(stream(lib, 7), batch_size=3),
    "stream whole": lambda lib, D: D(stream(lib, 7), batch_size=3, drop_last=True),
    "stream one by one": lambda lib, D: D(stream(lib, 3), batch_size=None),
    "stack": lambda lib, D: D(
        lib.utils.data.StackDataset(x=rows(lib), y=Squares(23)), batch_size=6, shuffle=True
    ),
}


@pytest.mark.parametrize("name", LOADERS)
def test_loader(name: str) -> None:
    def program(lib: Any) -> Any:
        lib.manual_seed(1)
        loader = LOADERS[name](lib, lib.utils.data.DataLoader)
        return batches(loader), batches(loader), len(loader), (lib.rand(1) if on_cpu() else None)

    assert_agrees(program)


REFUSED: dict[str, Callable[[Any, Any], Any]] = {
    "workers": lambda lib, D: D(Squares(), num_workers=-1),
    "timeout": lambda lib, D: D(Squares(), timeout=-1),
    "prefetch": lambda lib, D: D(Squares(), prefetch_factor=2),
    "prefetch less than none": lambda lib, D: D(Squares(), num_workers=1, prefetch_factor=-1),
    "persistent": lambda lib, D: D(Squares(), persistent_workers=True),
    "sampler and shuffle": lambda lib, D: D(Squares(), sampler=[1], shuffle=True),
    "batch sampler and size": lambda lib, D: D(Squares(), batch_sampler=[[1]], batch_size=2),
    "drop of none": lambda lib, D: D(Squares(), batch_size=None, drop_last=True),
    "shuffled stream": lambda lib, D: D(stream(lib, 2), shuffle=True),
    "sampled stream": lambda lib, D: D(stream(lib, 2), sampler=[1]),
    "batch sampled stream": lambda lib, D: D(stream(lib, 2), batch_sampler=[1]),
    "context": lambda lib, D: D(Squares(), multiprocessing_context="fork"),
    "other context": lambda lib, D: D(Squares(), num_workers=1, multiprocessing_context="spoon"),
    "number as context": lambda lib, D: D(Squares(), num_workers=1, multiprocessing_context=3),
    "size afterwards": lambda lib, D: setattr(D(Squares()), "batch_size", 3),
    "dataset afterwards": lambda lib, D: setattr(D(Squares()), "dataset", 3),
    "size zero": lambda lib, D: D(Squares(), batch_size=0),
    "empty shuffled": lambda lib, D: D([], shuffle=True),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    assert isinstance(
        assert_agrees(lambda lib: REFUSED[name](lib, lib.utils.data.DataLoader)), Exception
    )


def test_pin_memory_without_an_accelerator() -> None:
    if not on_cpu():
        pytest.skip("there is an accelerator")
    assert_agrees(lambda lib: batches(lib.utils.data.DataLoader(Squares(2), pin_memory=True)))


def test_a_stream_longer_than_it_says() -> None:
    def program(lib: Any) -> Any:
        class Longer(lib.utils.data.IterableDataset):
            def __iter__(self) -> Any:
                return iter(range(3))

            def __len__(self) -> int:
                return 2

        loader = lib.utils.data.DataLoader(Longer(), batch_size=None)
        assert len(loader) == 2
        return batches(loader)

    assert_agrees(program)


def test_an_error_in_the_main_process_names_the_sample() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        batches(data.DataLoader(Failing(), batch_size=4))
    if sys.version_info >= (3, 11):
        assert caught.value.__notes__ == ["(This was at dataset[7].)"]


# --- workers --------------------------------------------------------------------------------------


class Failing(Squares):
    """Fails at one index, in one of several ways."""

    def __init__(self, how: str = "error", at: int = 7) -> None:
        super().__init__(10)
        self.how = how
        self.at = at

    def __getitem__(self, index: int) -> Any:
        if index != self.at:
            return index
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "exit":
            os._exit(3)
        if self.how == "hang":
            time.sleep(60)
        if self.how == "key":
            raise KeyError("no such\nkey")
        if self.how == "odd":
            raise OddError(1, 2)
        if self.how == "unpicklable":
            return lambda: None
        return 1 / 0


class OddError(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__(a, b)


class Drawing:
    """Samples that are drawn from all random streams there are."""

    def __init__(self, lib: Any) -> None:
        self.lib = lib

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        x = self.lib.rand(1) if on_cpu() else self.lib.zeros(1)
        return x, random.random(), float(np.random.rand()), index

    def __getstate__(self) -> str:
        return str(self.lib.__name__)

    def __setstate__(self, name: str) -> None:
        self.lib = sys.modules[name]


def seeded(worker: int) -> None:
    random.seed(worker)


@pytest.fixture
def workers() -> Any:
    """Nothing may be left of the workers when a test ends."""
    if not on_cpu():
        pytest.skip("workers are the CPU's; a forked process cannot use CUDA")
    before = set(_children())
    yield
    gc.collect()
    deadline = time.monotonic() + 10
    while set(_children()) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert set(_children()) <= before


def _children(pid: int | None = None) -> list[int]:
    listed = f"/proc/{pid or os.getpid()}/task"
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(listed):
            with open(f"{listed}/{task}/children") as file:
                found += [int(p) for p in file.read().split()]
    return [p for p in found if not _is_helper(p)]


def _is_helper(pid: int) -> bool:
    """multiprocessing's own processes, which live as long as the program."""
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            line = file.read()
    except OSError:
        return True
    return "resource_tracker" in line or "forkserver" in line or not line


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("name", [n for n in LOADERS if "stream" not in n and n != "stack"])
@pytest.mark.parametrize("options", [{}, {"persistent_workers": True}, {"prefetch_factor": 1}], ids=str)
def test_workers_give_the_same_batches(name: str, options: dict[str, Any]) -> None:
    def program(lib: Any) -> Any:
        def loader(*args: Any, **kwargs: Any) -> Any:
            return lib.utils.data.DataLoader(*args, **kwargs, num_workers=2, **options)

        lib.manual_seed(1)
        made = LOADERS[name](lib, loader)
        return batches(made), batches(made), lib.rand(1)

    assert_agrees(program)


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("init", [None, seeded])
def test_workers_draw_the_same_numbers(persistent: bool, init: Any) -> None:
    def program(lib: Any) -> Any:
        lib.manual_seed(3)
        loader = lib.utils.data.DataLoader(
            Drawing(lib), batch_size=2, num_workers=2, worker_init_fn=init,
            persistent_workers=persistent, shuffle=True,
        )  # fmt: skip
        return batches(loader), batches(loader)

    assert_agrees(program)


class Sharded(data.IterableDataset):
    """Each worker gives its part."""

    def __iter__(self) -> Iterator[tuple[int, int]]:
        info = data.get_worker_info()
        assert info is not None and info.dataset is self
        return iter([(info.id, i) for i in range(info.id, 9, info.num_workers)])


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("persistent", [True, False])
def test_workers_of_a_stream(persistent: bool) -> None:
    assert data.get_worker_info() is None
    loader = data.DataLoader(Sharded(), batch_size=2, num_workers=2, persistent_workers=persistent)
    expected = [[[0, 0], [0, 2]], [[1, 1], [1, 1]]]
    for _ in range(2):
        got = [[ids.tolist(), values.tolist()] for ids, values in loader]
        assert got[:2] == [[[0, 0], [0, 2]], [[1, 1], [1, 3]]], expected
        assert sorted(v for _, values in got for v in values) == list(range(9))


@pytest.mark.usefixtures("workers")
def test_streams_end_as_in_pytorch() -> None:
    def program(lib: Any) -> Any:
        class Parts(lib.utils.data.IterableDataset):
            def __iter__(self) -> Any:
                info = lib.utils.data.get_worker_info()
                return iter(range(info.id * 100, info.id * 100 + 3 + 4 * info.id))

        loader = lib.utils.data.DataLoader(Parts(), batch_size=2, num_workers=2)
        return batches(loader)

    assert_agrees(program)


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_contexts(context: str) -> None:
    loader = data.DataLoader(
        Squares(6), batch_size=2, num_workers=1, multiprocessing_context=context,
        worker_init_fn=seeded,
    )  # fmt: skip
    assert [b.tolist() for b in loader] == [[0, 1], [4, 9], [16, 25]]


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize(("how", "kind"), [("error", ZeroDivisionError), ("key", KeyError)])
def test_errors_in_workers(how: str, kind: type[Exception]) -> None:
    def program(lib: Any) -> Any:
        return batches(lib.utils.data.DataLoader(Failing(how), batch_size=4, num_workers=2))

    def first_line(lib: Any) -> Any:
        try:
            program(lib)
        except Exception as error:
            return type(error).__name__, str(error).splitlines()[:2]

    assert_agrees(first_line)
    with pytest.raises(kind) as caught:
        program(devgrad)
    text = str(caught.value)
    assert "in __getitem__" in text and "(This was at dataset[7].)" in text


@pytest.mark.usefixtures("workers")
def test_errors_that_cannot_be_made_again() -> None:
    with pytest.raises(RuntimeError, match="Caught OddError in DataLoader worker process 0"):
        batches(data.DataLoader(Failing("odd"), batch_size=10, num_workers=1))


@pytest.mark.usefixtures("workers")
def test_errors_while_collating_and_sending() -> None:
    with pytest.raises(TypeError, match=r"This was as the samples \[0, 1\] were collated"):
        batches(data.DataLoader([{1}, {2}], batch_size=2, num_workers=1))
    with pytest.raises((AttributeError, RuntimeError), match="as the batch was sent") as caught:
        batches(data.DataLoader(Failing("unpicklable"), batch_size=None, num_workers=1))
    assert "pickle" in str(caught.value)


@pytest.mark.usefixtures("workers")
def test_loading_goes_on_after_an_error() -> None:
    iterator = iter(data.DataLoader(Failing(at=1), batch_size=None, num_workers=2))
    assert next(iterator) == 0
    with pytest.raises(ZeroDivisionError):
        next(iterator)
    assert list(iterator) == list(range(2, 10))


def _fails_to_begin(worker: int) -> None:
    raise LookupError("not today")


@pytest.mark.usefixtures("workers")
def test_a_worker_that_cannot_begin() -> None:
    loader = data.DataLoader(Squares(), num_workers=1, worker_init_fn=_fails_to_begin)
    with pytest.raises(LookupError, match="Caught LookupError in DataLoader worker process 0"):
        batches(loader)


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("persistent", [True, False])
def test_a_killed_worker(persistent: bool) -> None:
    loader = data.DataLoader(
        Failing("kill"), batch_size=2, num_workers=2, persistent_workers=persistent
    )
    begin = time.monotonic()
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid \d+\) is killed by signal: "):
        batches(loader)
    assert time.monotonic() - begin < 5


@pytest.mark.usefixtures("workers")
def test_a_worker_killed_from_outside_while_idle() -> None:
    loader = data.DataLoader(Squares(100), batch_size=1, num_workers=2, prefetch_factor=1)
    iterator = iter(loader)
    next(iterator)
    os.kill(iterator._workers[1].process.pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="is killed by signal: Killed"):
        for _ in iterator:
            time.sleep(0.02)


@pytest.mark.usefixtures("workers")
def test_a_worker_that_exits() -> None:
    with pytest.raises(RuntimeError, match=r"exited unexpectedly with exit code 3"):
        batches(data.DataLoader(Failing("exit"), batch_size=2, num_workers=1))


@pytest.mark.usefixtures("workers")
def test_a_worker_that_is_too_slow() -> None:
    def program(lib: Any) -> Any:
        loader = lib.utils.data.DataLoader(Failing("hang", 1), num_workers=1, timeout=0.5)
        return batches(loader)

    begin = time.monotonic()
    with pytest.raises(RuntimeError, match="DataLoader timed out after 0.5 seconds"):
        program(devgrad)
    assert time.monotonic() - begin < 9  # and it is not waited for, but ended


class Wide(Squares):
    """Samples that do not fit into a pipe at once."""

    def __getitem__(self, index: int) -> Any:
        return devgrad.full((300_000,), float(index))


@pytest.mark.usefixtures("workers")
def test_large_batches_and_long_lists_of_indices_do_not_block() -> None:
    sums = [b[:, 0].sum().item() for b in data.DataLoader(Wide(8), batch_size=2, num_workers=2)]
    assert sums == [1.0, 5.0, 9.0, 13.0]
    loader = data.DataLoader(Squares(200_000), batch_size=50_000, num_workers=2, collate_fn=len)
    assert batches(loader) == [50_000] * 4


@pytest.mark.usefixtures("workers")
def test_stopping_in_the_middle() -> None:
    for batch in data.DataLoader(Wide(50), batch_size=2, num_workers=2):
        break
    begin = time.monotonic()
    del batch
    gc.collect()
    assert time.monotonic() - begin < 4
    loader = data.DataLoader(Squares(50), num_workers=2, persistent_workers=True)
    next(iter(loader))
    assert [b.item() for b in loader] == [i * i for i in range(50)]  # from the beginning again


@pytest.mark.usefixtures("workers")
def test_batches_as_they_are_ready() -> None:
    class Uneven(Squares):
        def __getitem__(self, index: int) -> int:
            time.sleep(0.3 if index == 0 else 0.0)
            return index

    loader = data.DataLoader(Uneven(8), batch_size=1, num_workers=2, in_order=False)
    got = [b.item() for b in loader]
    assert sorted(got) == list(range(8)) and got[0] != 0


def test_iterators_cannot_be_pickled() -> None:
    import pickle

    with pytest.raises(NotImplementedError, match="cannot be pickled"):
        pickle.dumps(iter(data.DataLoader(Squares())))


# --- no orphans -----------------------------------------------------------------------------------

SCRIPT = """
    import os, sys, time
    from devgrad.utils import data

    class Slow:
        def __len__(self): return 1000
        def __getitem__(self, i):
            if i == 5: time.sleep({sleep})
            return i

    if __name__ == "__main__":
        loader = data.DataLoader(Slow(), num_workers=2, persistent_workers={persistent},
                                 multiprocessing_context="{context}")
        iterator = iter(loader)
        next(iterator)
        print(*[w.process.pid for w in iterator._workers], flush=True)
        {end}
"""


def _run(tmp_path: Any, end: str, sleep: float, context: str = "fork") -> tuple[Any, list[int]]:
    path = tmp_path / "script.py"
    text = textwrap.dedent(SCRIPT).format(end=end, sleep=sleep, persistent=False, context=context)
    path.write_text(text)
    command = [sys.executable, "-W", "ignore", str(path)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    pids = [int(p) for p in process.stdout.readline().split()]
    assert len(pids) == 2
    return process, pids


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _gone(pids: list[int], within: float) -> bool:
    deadline = time.monotonic() + within
    while any(_alive(p) for p in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(_alive(p) for p in pids)


needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc here")


@needs_proc
@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_no_orphans_when_the_main_process_is_killed(tmp_path: Any, context: str) -> None:
    process, pids = _run(tmp_path, "time.sleep(60)", sleep=60, context=context)
    time.sleep(0.3)  # one of them is in the middle of a sample now
    process.kill()
    process.wait()
    assert _gone(pids, within=10)


@needs_proc
@pytest.mark.usefixtures("workers")
def test_no_orphans_when_the_user_stops(tmp_path: Any) -> None:
    process, pids = _run(tmp_path, "[time.sleep(0.05) for _ in iterator]", sleep=0.0)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0 and "KeyboardInterrupt" in errors
    assert "Process ForkProcess" not in errors, "a worker printed a traceback of its own"
    assert _gone(pids, within=5)


@needs_proc
@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("end", ["pass", "del iterator", "raise SystemExit(0)"])
def test_a_program_that_ends_takes_its_workers_along(tmp_path: Any, end: str) -> None:
    process, pids = _run(tmp_path, end, sleep=0.0)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0 and errors == ""
    assert _gone(pids, within=5)


def test_workers_beyond_the_processors_are_warned_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    assert_agrees(lambda lib: len(lib.utils.data.DataLoader(Squares(), num_workers=count + 1)))
