"""Writes ``cupy_table.json``: CuPy's functions, ufuncs and methods, and how they are called.

    python tests/cuda_stand_in/make_table.py

CuPy imports without a GPU, so this runs wherever it is installed. The table is committed, so that
the stand-in knows CuPy where it is not; a test compares the two where it is.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import types
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("cupy_table.json")

# Namespaces with functions that operations may call, by the names that they have from `cupy`.
# (`cupyx.scipy.linalg` is not among them: it cannot be imported without cuBLAS.)
MODULES = ("cupy", "cupy.linalg", "cupy.fft", "cupyx", "cupyx.scipy.special")


def collect() -> dict[str, Any]:
    """The table, from the CuPy that is installed."""
    import cupy
    from cupy._core import _routines_math, core
    from cupy._sorting import search

    table: dict[str, Any] = {
        "cupy": cupy.__version__, "functions": {}, "ufuncs": {}, "methods": {}, "attributes": [],
        "names": [],
    }  # fmt: skip
    for place in MODULES:
        for name, value in vars(importlib.import_module(place)).items():
            if not name.startswith("_"):
                _enter(table, f"{place}.{name}".removeprefix("cupy."), value)
    for name, ufunc in {
        "_where": search._where_ufunc, "_clip": _routines_math.clip,
        "_round": core._round_ufunc, "_conjugate": _routines_math.conjugate,
    }.items():  # fmt: skip
        table["ufuncs"][name] = _ufunc(ufunc)
    for name in dir(cupy.ndarray):
        value = inspect.getattr_static(cupy.ndarray, name)
        if name.startswith("_") and not re.fullmatch("__[a-z]+__", name):
            continue
        if name in object.__dict__:
            continue
        if callable(getattr(cupy.ndarray, name)) and not isinstance(value, property):
            table["methods"][name] = "" if name.startswith("__") else _method(name)
        else:
            table["attributes"].append(name)
    return table


def _enter(table: dict[str, Any], name: str, value: Any) -> None:
    from cupy._core._gufuncs import _GUFunc
    from cupy._core._kernel import ufunc

    if isinstance(value, ufunc):
        table["ufuncs"][name] = _ufunc(value)
    elif isinstance(value, _GUFunc):
        table["functions"][name] = "x1, x2, /, out=..., *, axes=..., axis=..., keepdims=..., " \
            "casting=..., dtype=..., signature=..."  # fmt: skip
    elif isinstance(value, types.ModuleType) or name == "annotations":
        pass
    elif callable(value) and not isinstance(value, type):
        signature = _signature(value)
        if signature is not None:
            table["functions"][name] = signature
    else:
        table["names"].append(name)


def _signature(function: Any) -> str | None:
    """The parameters with ``...`` for each default: ``"a, axis=..., *, dtype=..."``."""
    try:
        found = inspect.signature(function)
    except ValueError:
        return _from_text((function.__doc__ or "").split("\n")[0])
    changed = [
        p.replace(annotation=p.empty, default=p.default if p.default is p.empty else ...)
        for p in found.parameters.values()
    ]
    text = str(inspect.Signature(changed)).replace("Ellipsis", "...")
    return text[1:-1]


def _from_text(text: str) -> str | None:
    """The same from the line that Cython writes: ``size(ndarray a, axis=None) -> Py_ssize_t``."""
    match = re.match(r"[\w.]+\((.*)\)", text)
    if match is None:
        return None
    parts = []
    for part in _split(match[1]):
        name, equals, _ = part.partition("=")
        parts.append(name.split(":")[0].split()[-1] + ("=..." if equals else ""))
    return ", ".join(p for p in parts if p != "self")


def _split(text: str) -> list[str]:
    parts, depth = [""], 0
    for c in text:
        depth += (c in "([{") - (c in ")]}")
        if c == "," and not depth:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts if p.strip()]


def _method(name: str) -> str:
    import cupy

    method = getattr(cupy.ndarray, name)
    signature = _signature(method)
    if signature is None:
        raise ValueError(f"no signature found for ndarray.{name}")
    return signature.removeprefix("self, ").removeprefix("self")


def _ufunc(ufunc: Any) -> dict[str, Any]:
    ops = ufunc._ops.ops
    entry: dict[str, Any] = {
        "name": ufunc.name, "nin": ufunc.nin, "nout": ufunc.nout, "types": _types(ops),
    }  # fmt: skip
    refused = [t for t, o in zip(entry["types"], ops, strict=True) if o.error_func is not None]
    if refused:
        entry["refused"] = refused
    if ufunc._out_ops is not None:
        entry["out_types"] = _types(ufunc._out_ops.ops)
    if ufunc._scatter_op is not None:
        entry["scatter"] = ufunc._scatter_op
    return entry


def _types(ops: Any) -> list[str]:
    # Loops for structured types ("V") and bfloat16 are none of ours.
    def text(kinds: Any) -> str:
        return "".join("E" if "bfloat16" in str(t) else t.char for t in kinds)

    return [f"{text(op.in_types)}->{text(op.out_types)}" for op in ops]


def as_text(table: dict[str, Any]) -> str:
    """The table as it is written to the file: a line for each entry."""
    lines = ["{"]
    for i, (key, value) in enumerate(table.items()):
        comma = "," if i < len(table) - 1 else ""
        if isinstance(value, dict):
            rows = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(value.items())]
            lines += [f'"{key}": {{', ",\n".join(rows), "}" + comma]
        else:
            shown = sorted(value) if isinstance(value, list) else value
            lines.append(f'"{key}": {json.dumps(shown)}{comma}')
    return "\n".join([*lines, "}"]) + "\n"


if __name__ == "__main__":
    PATH.write_text(as_text(collect()), encoding="utf-8")
    print(f"wrote {PATH}")
