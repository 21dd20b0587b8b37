"""The harness's end of a worker process."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "DEVGRAD_NUM_THREADS",
)


class WorkerError(Exception):
    """The worker refused or failed a command. details: its traceback or last output."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class WorkerUnavailableError(WorkerError):
    """The worker's peer cannot run on this machine."""


class WorkerDiedError(WorkerError):
    """The process ended, or was ended for taking too long; no further command will be obeyed."""


def set_threads(environment: dict[str, str] | os._Environ[str], threads: int) -> None:
    """Set the variables that the array libraries read when they are imported."""
    environment.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))


def source_paths() -> list[str]:
    """The folders that a process of ours must import from: this checkout's root, and its `src`
    where no devgrad is installed.
    """
    paths = [str(ROOT)]
    if importlib.util.find_spec("devgrad") is None:
        paths.append(str(ROOT / "src"))
    return paths


class WorkerProcess:
    """A worker process and a conversation with it.

    Raises WorkerUnavailableError when the peer cannot be loaded here.
    """

    def __init__(
        self,
        peer: str,
        *,
        device: str,
        threads: int,
        imports: Sequence[str] = (),
        timeout: float = 600.0,
    ) -> None:
        self.peer = peer
        self.timeout = timeout
        self.alive = True
        environment = dict(os.environ)
        set_threads(environment, threads)
        environment["PYTHONPATH"] = os.pathsep.join(
            filter(None, [os.environ.get("PYTHONPATH"), *source_paths()])
        )
        command = [sys.executable, "-m", "bench.worker", peer]
        command += ["--device", device, "--threads", str(threads)]
        command += [f"--import={module}" for module in imports]
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        # Threads read, because a pipe cannot be read with a time limit on every system, and one
        # that nobody reads stops the writer when it is full.
        self._answers: queue.Queue[str] = queue.Queue()
        self._output: deque[str] = deque(maxlen=60)
        self._readers = [
            threading.Thread(target=read, daemon=True)
            for read in (self._read_answers, self._read_output)
        ]
        for reader in self._readers:
            reader.start()
        try:
            self.about = self._receive("start")
            if "unavailable" in self.about:
                raise WorkerUnavailableError(
                    self.about["unavailable"], self.about.get("traceback", "")
                )
        except BaseException:
            self.stop()
            raise

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and wait for its answer.

        Raises WorkerError when the command failed there, WorkerDiedError when the process ended, or
        was ended because it took longer than the time limit.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # nobody listens; what is received says why
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
        return self._receive(do)

    def stop(self) -> None:
        """End the process: it leaves when its input ends, and is made to when it does not."""
        if self._process.stdin and not self._process.stdin.closed:
            with contextlib.suppress(OSError):  # it is gone already, with something unsent
                self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _read_answers(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def _read_output(self) -> None:
        assert self._process.stderr is not None
        self._output.extend(self._process.stderr)

    def _receive(self, do: str) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=self.timeout)
        except queue.Empty:
            self._process.kill()
            self.alive = False
            raise WorkerDiedError(f"no answer to {do!r} within {self.timeout:g} s") from None
        if not line:
            code = self._process.wait()
            self.alive = False
            self._readers[1].join()
            raise WorkerDiedError(
                f"the process ended during {do!r} with exit code {code}", "".join(self._output)
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"], answer["traceback"])
        return answer
