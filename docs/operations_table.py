"""Writes ``docs/operations.md``: every operation that devgrad has, from its own registry.

    python docs/operations_table.py                  write the table
    python docs/operations_table.py --check          only say whether it is up to date
    python docs/operations_table.py --opinfo FILE    take over what `opinfo.py --json FILE` found

How devgrad compares with PyTorch's own database of operations is measured by ``tests/opinfo.py``,
which takes minutes and needs PyTorch; the outcome is kept in ``docs/opinfo.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import devgrad
from devgrad import ops
from devgrad.device._special import OWN
from devgrad.ops import FUNCTIONS, METHODS, OPS

HERE = Path(__file__).parent
MEASURED = HERE / "opinfo.json"
PLACES = ("", "linalg", "fft", "special", "nn.functional")

# What PyTorch has and devgrad has not, or has otherwise, and why.
REASONS = {
    "bfloat16": "NumPy has no bfloat16",
    "chalf": "NumPy has no complex numbers of half precision",
    "complex": "of half precision: NumPy has no such complex numbers",
    "view_as_complex": "of half precision: NumPy has no such complex numbers",
    "hash_tensor": "its result is uint64, a dtype that devgrad has not",
}


def operation_of(function: Any) -> Any:
    """The declared operation that a public function is the face of; None of a composite."""
    declared = getattr(function, "__globals__", {}).get("op")
    return declared if getattr(declared, "node_class", None) is not None else None


def takes_out(function: Any) -> bool:
    declared = operation_of(function)
    if declared is not None:
        return not declared.view
    names = function.__code__.co_varnames
    return bool(function.__globals__.get("takes_out")) or "out" in names


def forms(place: str, name: str, function: Any) -> str:
    found = ["function"]
    if place in ("", "special") and name in METHODS:
        found.append("method")
        if f"{name}_" in METHODS:
            found.append("in place")
    if takes_out(function):
        found.append("`out=`")
    return ", ".join(found)


def dtypes(declared: Any) -> str:
    if declared is None:
        return "those of its parts"
    if declared.floating:
        return "floating point; integers become it"
    return "promoted to a common one" if declared.promotes else "as given"


def derivative(declared: Any) -> str:
    if declared is None:
        return "that of its parts"
    rules = {name: rule for name, (rule, _) in declared.rules.items()}
    if not rules:
        return "none"
    if not any(rules.values()):
        return "zero"
    lacking = [p.name for p in declared.tensors if p.name not in rules]
    return "every order" + (f"; none by `{'`, `'.join(lacking)}`" if lacking else "")


def devices(declared: Any) -> str:
    """CUDA has what CuPy has; on the CPU some special functions are SciPy's."""
    if declared is None or "special" not in declared.forward.__code__.co_names:
        return "CPU, CUDA"
    cells = [c.cell_contents for c in declared.forward.__closure__ or ()]
    names = {c for c in (*declared.forward.__code__.co_consts, *cells) if isinstance(c, str)}
    return "CPU, CUDA" if names & OWN else "CPU (with SciPy), CUDA"


def section(place: str) -> list[str]:
    title = f"devgrad.{place}" if place else "devgrad"
    lines = ["", f"## `{title}`", "", "| operation | forms | dtypes | derivative | devices |",
             "|---|---|---|---|---|"]  # fmt: skip
    for name, function in sorted(FUNCTIONS[place].items()):
        if name.startswith("_") or name.endswith("_"):
            continue
        declared = operation_of(function)
        lines.append(
            f"| `{name}` | {forms(place, name, function)} | {dtypes(declared)} "
            f"| {derivative(declared)} | {devices(declared)} |"
        )
    return lines


def methods() -> list[str]:
    functions = set(FUNCTIONS[""]) | {f"{n}_" for n in FUNCTIONS[""]}
    only = sorted(n for n in METHODS if n not in functions and not n.startswith("_"))
    return ["", "## Methods that are no functions", "", ", ".join(f"`{n}`" for n in only) + "."]


def measured() -> list[str]:
    found = json.loads(MEASURED.read_text(encoding="utf-8"))
    wrong, missing = found["wrong"], found["missing"]
    total = found["right"] + len(wrong) + len(missing)
    lines = [
        "",
        "## Held against PyTorch's database",
        "",
        f"PyTorch {found['torch']} keeps a database of its operations with sample inputs. Of the "
        f"{total} entries",
        "that mean something for dense arrays on a CPU,",
        f"**{found['right']} are right** in all that is compared (values, dtypes, shapes, first- "
        "and second-order",
        f"gradients, methods, in-place forms), {len(wrong)} differ, and {len(missing)} are "
        "missing:",
        "",
        "| entry | | what |",
        "|---|---|---|",
    ]
    for name, fault in sorted({**wrong, **dict.fromkeys(missing, "")}.items()):
        state = "differs" if name in wrong else "missing"
        what = REASONS.get(name, fault or "not written").replace("|", "\\|")
        lines.append(f"| `{name}` | {state} | {what} |")
    return lines


def table() -> str:
    ops.load_all()
    assert devgrad.masked and devgrad.signal
    public = {n for p in PLACES for n in FUNCTIONS[p] if not n.endswith("_")}
    lines = [
        "# Operations",
        "",
        "Made by `docs/operations_table.py` from the registry; a test checks that it is up to "
        "date.",
        f"{len(public)} public operations, {len(METHODS)} methods and operators; behind them "
        f"{len(OPS)} declared",
        "operations with their derivatives. What is *of its parts* is plain Python over others.",
        "`devgrad.masked` and `devgrad.signal.windows` are made of these.",
        *measured(),
    ]
    for place in PLACES:
        lines += section(place)
    return "\n".join([*lines, *methods()]) + "\n"


def keep(path: Path) -> None:
    """Take over the outcome of ``tests/opinfo.py --json``."""
    import torch

    found = json.loads(path.read_text(encoding="utf-8"))
    outcome = {
        "torch": torch.__version__.partition("+")[0],
        "right": sum(r["verdict"] == "PASS" for r in found.values()),
        "wrong": {
            name: r["faults"][0].partition("\n")[0][:120]
            for name, r in sorted(found.items())
            if r["verdict"] == "WRONG"
        },
        "missing": sorted(n for n, r in found.items() if r["verdict"] == "MISSING"),
    }
    MEASURED.write_text(json.dumps(outcome, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] == ["--opinfo"]:
        keep(Path(arguments[1]))
    path = HERE / "operations.md"
    text = table()
    if "--check" in arguments:
        return 0 if path.exists() and path.read_text(encoding="utf-8") == text else 1
    path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
