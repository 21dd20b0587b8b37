"""A worker: a process that fetches batches for the main one.

It has two pipes: by one it is told what to fetch, by the other it sends what it has fetched. No
other process holds their ends, so that whoever is left alone finds out at once: the main process
by the end of the second pipe, a worker by the end of the first.
"""

from __future__ import annotations

import os
import pickle
import queue
import random
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..._random import manual_seed
from ...device._seeding import seed_numpy
from ._fetch import Fetcher

__all__ = ["Ended", "Failure", "RESUME", "WorkerInfo", "WorkerTask", "get_worker_info", "work"]


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker knows of itself.

    Attributes:
        id: its number.
        num_workers: how many there are.
        seed: what its default random stream began with.
        dataset: its copy of the dataset.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: list[WorkerInfo] = []


def get_worker_info() -> WorkerInfo | None:
    """What this worker knows of itself; None in the main process."""
    return _info[0] if _info else None


class _Message(str):
    """A text that prints with its line breaks where an error (KeyError) shows its repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Failure:
    """An error in a worker, on its way to the main process.

    To be made while the error is being handled.
    """

    def __init__(self, where: str, doing: str = "") -> None:
        kind, _, _ = sys.exc_info()
        assert kind is not None
        self.name = kind.__name__
        self.text = traceback.format_exc()
        self.where = where
        self.doing = doing
        try:
            pickle.dumps(kind)
            self.kind: type[BaseException] = kind
        except Exception:  # of a class that cannot be found by its name
            self.kind = RuntimeError

    def reraise(self) -> None:
        """Raise the error here, with the worker's traceback as its text."""
        blame = f"\n(This was {self.doing}.)" if self.doing else ""
        text = _Message(f"Caught {self.name} {self.where}.\nOriginal {self.text}{blame}")
        try:
            error = self.kind(text)
        except Exception:  # its class wants other arguments
            error = RuntimeError(text)
        try:
            raise error
        finally:
            del error  # its traceback holds this frame, which would hold it, and the workers


class Ended:
    """That a worker's iterable dataset is at its end."""


RESUME = "resume"  # begin a new epoch


@dataclass
class WorkerTask:
    """What a worker is to do, for as long as it lives."""

    dataset: Any
    batched: bool
    collate: Any
    drop_last: bool
    base_seed: int
    init_fn: Callable[[int], Any] | None
    id: int
    num_workers: int

    def fetcher(self) -> Fetcher:
        """Begin an epoch."""
        return Fetcher(self.dataset, self.batched, self.collate, self.drop_last)


def work(task: WorkerTask, orders: Any, results: Any, inherited: list[Any]) -> None:
    """Fetch what is ordered, until told to stop.

    Args:
        task: what to do.
        orders: the pipe of ``(number, indices)``, `RESUME` or None, to stop.
        results: the pipe for ``(number, batch)``.
        inherited: pipes of others that a forked process has got without wanting them.
    """
    for connection in inherited:
        connection.close()
    received: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders, received), daemon=True).start()
    try:
        _serve(task, received, results)
    except (KeyboardInterrupt, BrokenPipeError, ConnectionResetError):
        pass  # the main process was stopped too, or is through with us
    finally:
        results.close()


def _listen(orders: Any, received: queue.SimpleQueue[Any]) -> None:
    """Take orders as they come, so that the main process never waits to give them."""
    try:
        while (order := orders.recv()) is not None:
            received.put(order)
        received.put(None)
    except (EOFError, OSError):
        os._exit(1)  # the main process is gone: stop at once, whatever is being computed


def _serve(task: WorkerTask, received: queue.SimpleQueue[Any], results: Any) -> None:
    where = f"in DataLoader worker process {task.id}"
    fetcher = problem = None
    try:
        _prepare(task)
        fetcher = task.fetcher()
    except Exception:
        problem = Failure(where)
    while (order := received.get()) is not None:
        if order == RESUME:
            try:
                fetcher = task.fetcher()
            except Exception:
                problem = Failure(where)
            results.send((RESUME, None))
            continue
        number, index = order
        data: Any = problem
        problem = None
        if data is None and fetcher is not None:
            try:
                data = fetcher.fetch(index)
            except StopIteration:
                data = Ended() if fetcher.iterator is not None else Failure(where, fetcher.doing)
            except Exception:
                data = Failure(where, fetcher.doing)
        try:
            results.send((number, data))
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception:  # it cannot be pickled
            results.send((number, Failure(where, "as the batch was sent to the main process")))


def _prepare(task: WorkerTask) -> None:
    seed = task.base_seed + task.id
    random.seed(seed)
    manual_seed(seed)
    seed_numpy([task.id, task.base_seed & 0xFFFFFFFF, task.base_seed >> 32, 0])
    _info[:] = [WorkerInfo(task.id, task.num_workers, seed, task.dataset)]
    if task.init_fn is not None:
        task.init_fn(task.id)
