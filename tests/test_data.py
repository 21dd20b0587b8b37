"""Datasets, samplers and the DataLoader, compared with PyTorch's; and workers that die."""

from __future__ import annotations

from collections import OrderedDict, UserDict, namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from agreement import assert_agrees, torch

import devgrad

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
    return list(loader)


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
        [lib.utils.data.ConcatDataset([Squares(3), Squares(2)])[i] for i in (0, 2, 3, 4, -1)],
        len(lib.utils.data.ConcatDataset([Squares(3), Squares(2)])),
        lib.utils.data.ConcatDataset([Squares(3), Squares(2)]).cumulative_sizes,
    ],
    "concat outside": lambda lib: lib.utils.data.ConcatDataset([Squares(3)])[-4],
    "concat nothing": lambda lib: lib.utils.data.ConcatDataset([]),
    "concat streams": lambda lib: lib.utils.data.ConcatDataset([stream(lib, 2)]),
    "plus": lambda lib: [(mapping(lib) + mapping(lib))[5], len(mapping(lib) + mapping(lib))],
    "chain": lambda lib: [
        list(stream(lib, 2) + stream(lib, 3)), len(stream(lib, 2) + stream(lib, 3))
    ],
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
