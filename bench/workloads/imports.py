"""What `import` costs."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from bench.registry import Metric, Probe, workload

_TIMED_IMPORT = """
from time import perf_counter
start = perf_counter()
import {module}
print(perf_counter() - start)
"""


def import_seconds(module: str) -> float:
    """The time of `import module` in a fresh interpreter, without the interpreter's own start."""
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
    return float(run.stdout.split()[-1])


@workload(
    "import_time",
    per="import",
    metrics=[
        Metric("over_numpy", "ms", "beyond `import numpy`"),
        Metric("total", "ms", "`import` alone"),
    ],
    rounds=11,
)
def import_time(lib: Any, device: Any) -> Probe:
    """`import` in fresh interpreters, in turn with `import numpy`."""

    def measure() -> dict[str, float]:
        numpy = import_seconds("numpy")
        library = import_seconds(lib.__name__)
        return {"over_numpy": (library - numpy) * 1e3, "total": library * 1e3}

    return Probe(measure)
