"""The workloads, one file per family. Importing this package registers them all."""

from __future__ import annotations

import importlib

# in the order of the table
for _family in (
    "regression", "chains", "graphs", "elementwise", "matmul", "rows", "launches", "tables",
    "images", "networks", "memory", "imports",
):  # fmt: skip
    importlib.import_module(f"{__name__}.{_family}")
