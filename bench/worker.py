"""The process that runs one peer: it obeys one-line JSON commands from its standard input and
answers each with one line on what was its standard output.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import math
import os
import sys
import traceback
from itertools import repeat
from time import perf_counter
from typing import Any, TextIO

import bench.workloads  # noqa: F401  (registers the workloads)
from bench.peers import PEERS, Loaded, Peer, UnavailableError
from bench.registry import FAMILIES, Case, Probe, numbers

# Steps taken before the peers' results are compared: enough for a state to have moved, and few,
# because what rounding does to it grows.
CHECK_STEPS = 3


class Worker:
    """One peer, loaded, and the workload that it has open."""

    def __init__(self, peer: Peer, device: str, threads: int) -> None:
        self.peer = peer
        self.loaded: Loaded = peer.load(device, threads)
        self.case: Case | Probe | None = None
        self.steps = 1

    def hello(self) -> dict[str, Any]:
        """What this peer is, for the head of the table."""
        return {"device": self.loaded.device, "pid": os.getpid(), **self.loaded.about}

    def open(self, family: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Set a workload up; for a Case, take a few steps and give the result."""
        self.close()
        version = self.peer.version
        build = FAMILIES[family].versions[version]
        first = (self.loaded.module,)
        if version != "hand":
            first += (self.loaded.device,)
        self.case = build(*first, **arguments)
        if isinstance(self.case, Probe):
            return {"kind": "probe"}
        for _ in range(CHECK_STEPS):
            self.case.step()
        result = self.case.result() if self.case.result else {}
        return {"kind": "case", "result": {name: numbers(v) for name, v in result.items()}}

    def calibrate(self, minimum: float, warmup: float) -> dict[str, Any]:
        """Warm up for so many seconds, then settle on the steps that fill a sample."""
        assert isinstance(self.case, Case)
        end = perf_counter() + warmup
        self.steps, seconds = 1, self._run(1)
        while seconds < minimum or perf_counter() < end:
            if seconds < minimum:
                # Never by more than ten at once: the first, cold steps tell little.
                growth = minimum / max(seconds, 1e-9) * 1.1
                self.steps = math.ceil(self.steps * min(10.0, max(1.1, growth)))
            seconds = self._run(self.steps)
        return {"steps": self.steps, "seconds": seconds}

    def sample(self) -> dict[str, Any]:
        """Take one sample of each metric, the garbage of what came before it collected."""
        gc.collect()
        if isinstance(self.case, Probe):
            return {"values": dict(self.case.measure())}
        assert self.case is not None
        if self.steps > 1:
            self._run(1)  # others ran since the last sample: fetch code and data into the caches
        return {"values": {"time": self._run(self.steps) / (self.steps * self.case.count)}}

    def close(self) -> dict[str, Any]:
        """Drop the open workload and what it holds."""
        self.case, self.steps = None, 1
        gc.collect()
        return {}

    def _run(self, steps: int) -> float:
        """The seconds that so many steps take, all work on the device included."""
        assert isinstance(self.case, Case)
        step, synchronize = self.case.step, self.loaded.synchronize
        if synchronize:
            synchronize()
        start = perf_counter()
        for _ in repeat(None, steps):
            step()
        if synchronize:
            synchronize()
        return perf_counter() - start


def serve(worker: Worker, commands: TextIO, answers: TextIO) -> None:
    """Obey commands until the input ends. An error in one is its answer, not the end."""
    for line in commands:
        request = json.loads(line)
        method = getattr(worker, request.pop("do"))
        try:
            answer = method(**request)
        except Exception as error:
            answer = {"error": describe(error), "traceback": traceback.format_exc()}
        send(answers, answer)


def describe(error: BaseException) -> str:
    """An error's type and the first line of its message."""
    return f"{type(error).__name__}: {error}".strip().splitlines()[0]


def send(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.worker")
    parser.add_argument("peer")
    parser.add_argument("--device", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--import", dest="imports", action="append", default=[])
    options = parser.parse_args()

    # What a library prints must not mix with the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    for module in options.imports:
        importlib.import_module(module)
    try:
        worker = Worker(PEERS[options.peer], options.device, options.threads)
    except UnavailableError as error:
        send(answers, {"unavailable": str(error)})
        return 0
    except Exception as error:
        send(answers, {"unavailable": describe(error), "traceback": traceback.format_exc()})
        return 1
    send(answers, worker.hello())
    serve(worker, sys.stdin, answers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
