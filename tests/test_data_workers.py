"""DataLoader workers: the same batches as PyTorch's, and what happens when one fails or dies."""

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
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from agreement import assert_agrees, torch
from test_data import LOADERS, Squares, batches, on_cpu

import devgrad
from devgrad.utils import data

pytestmark = [
    pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed"),
    # On a machine with few processors, both libraries warn of any workers.
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


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


def test_an_error_in_the_main_process_names_the_sample() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        batches(data.DataLoader(Failing(), batch_size=4))
    if sys.version_info >= (3, 11):
        assert caught.value.__notes__ == ["(This was at dataset[7].)"]


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
@pytest.mark.parametrize(
    "options", [{}, {"persistent_workers": True}, {"prefetch_factor": 1}], ids=str
)
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
    for _ in range(2):
        got = [[ids.tolist(), values.tolist()] for ids, values in loader]
        assert got[:2] == [[[0, 0], [0, 2]], [[1, 1], [1, 3]]]
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
    assert time.monotonic() - begin < 4  # and it is not waited for, but ended


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
    iterator = iter(data.DataLoader(Wide(50), batch_size=2, num_workers=2))
    next(iterator)
    begin = time.monotonic()
    del iterator
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
    process.communicate()
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
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    assert_agrees(lambda lib: len(lib.utils.data.DataLoader(Squares(), num_workers=count + 1)))
