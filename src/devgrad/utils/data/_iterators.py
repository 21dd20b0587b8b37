"""What a loop over a `DataLoader` goes through, with and without workers."""

from __future__ import annotations

import copy
import itertools
import multiprocessing
import os
import signal
import sys
import time
import warnings
import weakref
from collections.abc import Iterator
from multiprocessing import connection
from typing import Any

from ...device import cuda_problem, user_stacklevel
from ._fetch import Fetcher
from ._worker import RESUME, Ended, Failure, WorkerTask, work
from .dataset import IterableDataset
from .sampler import draw_seed

__all__ = ["SingleProcessIterator", "WorkersIterator"]

_PATIENCE = 5.0  # seconds between looks at workers that say nothing


class _Iterator:
    """What both have in common."""

    def __init__(self, loader: Any) -> None:
        self._take_options(loader)
        self._iterable = isinstance(loader.dataset, IterableDataset)
        if loader.pin_memory and cuda_problem() is not None:
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device "
                "pinned memory won't be used.",
                stacklevel=user_stacklevel(),
            )
        self._begin()
        self._base_seed = draw_seed(loader.generator)

    def _take_options(self, loader: Any) -> None:
        # A copy that does not hold the iterator: loader and workers go with their last name.
        self._loader = copy.copy(loader)
        self._loader._iterator = None

    def _begin(self) -> None:
        self._indices: Iterator[Any] = iter(self._loader._index_sampler)
        self._yielded = 0

    def __iter__(self) -> Any:
        return self

    def __len__(self) -> int:
        return len(self._loader._index_sampler)

    def __next__(self) -> Any:
        data = self._next_data()
        self._yielded += 1
        announced = self._loader._IterableDataset_len_called
        if self._iterable and announced is not None and self._yielded > announced:
            text = (
                f"Length of IterableDataset {self._loader.dataset} was reported to be {announced}"
                f"(when accessing len(dataloader)), but {self._yielded} samples have been fetched. "
            )
            if self._loader.num_workers:
                text += (
                    "For multiprocessing data-loading, this could be caused by not properly "
                    "configuring the IterableDataset replica at each worker. Please see "
                    "https://pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset "
                    "for examples."
                )
            warnings.warn(text, stacklevel=user_stacklevel())
        return data

    def _next_data(self) -> Any:
        raise NotImplementedError

    def __getstate__(self) -> Any:
        raise NotImplementedError("{} cannot be pickled", type(self).__name__)


class SingleProcessIterator(_Iterator):
    """Fetches each batch when it is asked for."""

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        self._fetcher = Fetcher(
            loader.dataset, loader._auto_collation, loader.collate_fn, loader.drop_last
        )

    def _next_data(self) -> Any:
        index = next(self._indices)
        try:
            return self._fetcher.fetch(index)
        except StopIteration:
            raise
        except Exception as error:
            if sys.version_info >= (3, 11):
                error.add_note(f"(This was {self._fetcher.doing}.)")
            raise


class _Worker:
    """A worker as the main process sees it."""

    def __init__(self, context: Any, task: WorkerTask, others: list[_Worker]) -> None:
        their_orders, self.orders = context.Pipe(duplex=False)
        self.results, their_results = context.Pipe(duplex=False)
        # A forked process gets all that is open here, and would keep it open.
        forks = context.get_start_method() == "fork"
        mine = [c for other in others for c in (other.orders, other.results)]
        inherited = [*mine, self.orders, self.results] if forks else []
        self.process = context.Process(
            target=work, args=(task, their_orders, their_results, inherited), daemon=True
        )
        try:
            self.process.start()
        finally:
            their_orders.close()
            their_results.close()
        self.active = True  # whether there is more to be had of it in this epoch
        self.waiting = 0  # how many batches were ordered and have not come

    def order(self, what: Any) -> None:
        """Send an order; if the worker is dead, that shows when its answer is waited for."""
        try:
            self.orders.send(what)
        except OSError:
            pass

    def death(self) -> str:
        """How it died, for the message."""
        self.process.join(_PATIENCE)
        pid, code = self.process.pid, self.process.exitcode
        if code is None or code >= 0:
            return (
                f"DataLoader worker (pid(s) {pid}) exited unexpectedly with exit code {code}. "
                "Details are lost due to multiprocessing. Rerunning with num_workers=0 may give "
                "better error trace."
            )
        text = f"DataLoader worker (pid {pid}) is killed by signal: {signal.strsignal(-code)}. "
        if -code == getattr(signal, "SIGKILL", 9):
            text += "The system does this where memory runs out: use fewer workers, or less of it."
        return text


def _stop(workers: list[_Worker], owner: int, patience: float = _PATIENCE) -> None:
    """End all workers, kindly first; after so many seconds by force."""
    if os.getpid() != owner:  # a copy of the iterator in a forked process
        return
    for worker in workers:
        worker.order(None)
        worker.orders.close()
        worker.results.close()
    deadline = time.monotonic() + patience
    for end in ("terminate", "kill", "close"):
        for worker in workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
        left = [worker for worker in workers if worker.process.is_alive()]
        if not left:
            return
        for worker in left:
            getattr(worker.process, end)()
        deadline = time.monotonic() + 1.0


class WorkersIterator(_Iterator):
    """Has workers fetch batches ahead, and gives them in order."""

    def __init__(self, loader: Any) -> None:
        self._workers: list[_Worker] = []
        super().__init__(loader)
        context = loader.multiprocessing_context or multiprocessing.get_context()
        self._stop = weakref.finalize(self, _stop, self._workers, os.getpid())
        for number in range(loader.num_workers):
            task = WorkerTask(
                loader.dataset, loader._auto_collation, loader.collate_fn, loader.drop_last,
                self._base_seed, loader.worker_init_fn, number, loader.num_workers,
            )  # fmt: skip
            self._workers.append(_Worker(context, task, self._workers))
        self._order_first()

    def _begin(self) -> None:
        super()._begin()
        self._ordered = 0  # how many batches were ordered in this epoch
        self._next = 0  # the number of the batch that is to be given next
        self._whose: dict[int, _Worker] = {}  # the workers of batches that have not come
        self._come: dict[int, tuple[_Worker, Any]] = {}  # batches that have, by their number
        self._cycle = itertools.cycle(self._workers)

    def restart(self, loader: Any) -> None:
        """Begin another epoch with the same workers."""
        self._take_options(loader)
        for worker in self._workers:
            worker.active = True
            worker.order(RESUME)
        for worker in self._workers:
            # What was ordered in the epoch before, and left, comes first.
            while self._receive([worker])[1] != RESUME:
                pass
            worker.waiting = 0
        self._begin()
        self._order_first()

    def _order_first(self) -> None:
        for _ in range(self._loader.prefetch_factor * len(self._workers)):
            self._order()

    def _order(self) -> None:
        """Order one more batch, of the next worker whose turn it is."""
        active = sum(worker.active for worker in self._workers)
        if not active:
            return
        fair = self._loader.prefetch_factor * len(self._workers) // active
        for worker in itertools.islice(self._cycle, len(self._workers)):
            if worker.active and (self._loader.in_order or worker.waiting < fair):
                break
        else:
            return
        try:
            index = next(self._indices)
        except StopIteration:
            return
        worker.order((self._ordered, index))
        worker.waiting += 1
        self._whose[self._ordered] = worker
        self._ordered += 1

    def _next_data(self) -> Any:
        while True:
            if self._next in self._come and self._loader.in_order:
                worker, data = self._come.pop(self._next)
                self._next += 1
            elif self._whose:
                worker, number, data = self._receive([w for w in self._workers if w.waiting])
                del self._whose[number]
                worker.waiting -= 1
                if isinstance(data, Ended) and not self._loader.persistent_workers:
                    worker.order(None)
                if isinstance(data, Ended):
                    worker.active = False
                if self._loader.in_order and number != self._next:
                    self._come[number] = worker, data
                    continue
                self._next += 1
            else:
                if not self._loader.persistent_workers:
                    self._stop()
                raise StopIteration
            self._order()
            if isinstance(data, Failure):
                data.reraise()
            if not isinstance(data, Ended):
                return data

    def _receive(self, workers: list[_Worker]) -> tuple[_Worker, Any, Any]:
        """The next answer of any of these workers: the worker, the batch's number, the batch.

        Raises:
            RuntimeError: a worker has died, or none answered in time.
        """
        timeout = self._loader.timeout
        deadline = time.monotonic() + (timeout or float("inf"))
        by_pipe = {worker.results: worker for worker in workers}
        while True:
            left = deadline - time.monotonic()
            ready = connection.wait(list(by_pipe), max(0.0, min(_PATIENCE, left)))
            for pipe in ready:
                worker = by_pipe[pipe]
                try:
                    number, data = worker.results.recv()
                except (EOFError, OSError):
                    self._fail(worker)
                return worker, number, data
            for worker in workers:
                if not worker.process.is_alive():
                    self._fail(worker)
            if left <= 0:
                self._give_up()
                raise RuntimeError(f"DataLoader timed out after {timeout} seconds")

    def _fail(self, worker: _Worker) -> None:
        text = worker.death()
        self._give_up()
        raise RuntimeError(text)

    def _give_up(self) -> None:
        """End all workers at once: what they are doing is not wanted any more."""
        self._stop.detach()
        _stop(self._workers, os.getpid(), patience=0.1)
