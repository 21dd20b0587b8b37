"""What `import` costs, and what an installation takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
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


_LOADED = """
import json, sys
import {module}
files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
print(json.dumps([file for file in files if file]))
"""


def folders_loaded(module: str) -> set[Path]:
    """What lies in `site-packages`, or beside the module, of what `import module` loads."""
    run = subprocess.run(
        [sys.executable, "-c", _LOADED.format(module=module)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = set()
    for file in map(Path, json.loads(run.stdout.splitlines()[-1])):
        for folder in file.parents:
            if folder.name == "site-packages":
                top = folder / file.relative_to(folder).parts[0]
                found |= {top, top.with_name(f"{top.name}.libs")}
    return found


def mebibytes(path: Path) -> float:
    """The size of a file, or of all in a folder but compiled Python."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(f.stat().st_size for f in files if f.is_file() and f.suffix != ".pyc") / 2**20


@workload(
    "installed_size",
    per="installation",
    metrics=[
        Metric("own", "MiB", "the package itself"),
        Metric("with_imported", "MiB", "and whatever else `import` loads"),
    ],
    rounds=1,
)
def installed_size(lib: Any, device: Any) -> Probe:
    """The files of the package, and of all packages that importing it loads."""

    def measure() -> dict[str, float]:
        folder = Path(lib.__file__).parent
        return {
            "own": mebibytes(folder),
            "with_imported": sum(map(mebibytes, folders_loaded(lib.__name__) | {folder})),
        }

    return Probe(measure)
