"""What `import` costs."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from bench.registry import Metric, Probe, workload

_TIMED_IMPORT = """
from time import perf_counter, process_time
start, cpu = perf_counter(), process_time()
import {module}
print(perf_counter() - start, process_time() - cpu)
"""


def import_seconds(module: str) -> tuple[float, float]:
    """The seconds that `import module` takes in a fresh interpreter, without the interpreter's own
    start: by the clock, and of the processor, which a busy machine does not lengthen.
    """
    environment = dict(os.environ)
    # With this set, every import would compile the library again.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    run = subprocess.run(
        [sys.executable, "-c", _TIMED_IMPORT.format(module=module)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"`import {module}` failed: {run.stderr.strip()}")
    wall, cpu = run.stdout.split()[-2:]
    return float(wall), float(cpu)


@workload(
    "import_time",
    per="import",
    metrics=[
        Metric("over_numpy", "ms", "beyond `import numpy`"),
        Metric("cpu_over_numpy", "ms", "the same in processor time"),
        Metric("total", "ms", "`import` alone"),
    ],
    rounds=11,
)
def import_time(lib: Any, device: Any) -> Probe:
    """`import` in fresh interpreters, in turn with `import numpy`."""

    def measure() -> dict[str, float]:
        numpy, numpy_cpu = import_seconds("numpy")
        library, library_cpu = import_seconds(lib.__name__)
        return {
            "over_numpy": (library - numpy) * 1e3,
            "cpu_over_numpy": (library_cpu - numpy_cpu) * 1e3,
            "total": library * 1e3,
        }

    return Probe(measure)
