"""Writes ``docs/autograd.md``: the public names of PyTorch's autograd, and whether they work.

    python docs/autograd_table.py           write the table
    python docs/autograd_table.py --check   only say whether it is up to date

The names and signatures are read off PyTorch itself. Only the reasons why something is missing are
written by hand, below.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import warnings
from pathlib import Path
from typing import Any

MODULES = ("autograd", "autograd.function", "autograd.functional", "autograd.forward_ad",
           "autograd.graph", "autograd.gradcheck", "func")  # fmt: skip

# Why a name is missing, or a parameter.
REASONS = {
    "autograd.NestedIOFunction": "deprecated in PyTorch, undocumented",
    "autograd.enforce_grad_layout_policy": "internal: layouts of gradients for compiled graphs",
    "autograd.variable": "the module; `Variable` is there",
    "autograd.function.FunctionMeta": "internal: a plain class does",
    "autograd.function.InplaceFunction": "deprecated in PyTorch: mark_dirty says it",
    "autograd.function.NestedIOFunction": "deprecated in PyTorch, undocumented",
    "autograd.graph.region_activation_memory_budget": "for torch.compile, which devgrad has not",
    "autograd.graph.set_warn_on_accumulate_grad_stream_mismatch": "gradients are accumulated on "
    "the stream of the backward pass: there is nothing to warn of",
    "autograd.graph.set_override_stale_capture_stream": "CUDA graph capture, which devgrad has not",
    "autograd.gradcheck.get_numerical_jacobian": "deprecated in PyTorch",
    "autograd.gradcheck.get_analytical_jacobian": "deprecated in PyTorch",
    "autograd.gradcheck.get_numerical_jacobian_wrt_specific_input": "internal",
    "func.replace_all_batch_norm_modules_": "not written yet",
    "func.functionalize": "rewrites traced programs; devgrad traces none",
    "func.rearrange": "not written yet",
    "func.debug_unwrap": "transforms wrap no tensors here: there is nothing to unwrap",
    "autograd.graph.GradientEdge(ownership_token)": "only PyTorch's C++ needs it",
}


def public_names(module: Any) -> list[str]:
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(listed)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("torch")
    )


def parameters(x: Any) -> list[str] | None:
    try:
        return [n for n in inspect.signature(x).parameters if not n.startswith("_")]
    except (TypeError, ValueError):
        return None


def row(module: str, name: str, theirs: Any, ours: Any) -> str:
    full = f"{module}.{name}"
    if ours is None:
        return f"| `{name}` | no | {REASONS[full]} |"
    wanted, found = parameters(theirs), parameters(ours)
    lacking = [p for p in wanted or [] if found is not None and p not in found]
    lacking = [p for p in lacking if p not in ("args", "kwargs")]
    notes = [f"without `{p}`: {REASONS[f'{full}({p})']}" for p in lacking]
    notes += [
        f"`{key[len(full) + 1 : -1]}` {reason}"
        for key, reason in REASONS.items()
        if key.startswith(f"{full}(") and key[len(full) + 1 : -1] not in lacking
    ]
    return f"| `{name}` | yes | {'; '.join(notes)} |"


def table() -> str:
    lines = [
        "# Autograd: what PyTorch has, and devgrad",
        "",
        "Made by `docs/autograd_table.py` from PyTorch's own names and signatures; a test checks "
        "that it",
        "is up to date.",
    ]
    total = present = 0
    for module in MODULES:
        theirs = importlib.import_module(f"torch.{module}")
        ours = importlib.import_module(f"devgrad.{module}")
        lines += ["", f"## `torch.{module}`", "", "| name | works | notes |", "|---|---|---|"]
        for name in public_names(theirs):
            own = getattr(ours, name, None)
            total, present = total + 1, present + (own is not None)
            lines.append(row(module, name, getattr(theirs, name), own))
    lines[3] += f" {present} of {total} names are there."
    return "\n".join(lines) + "\n"


def main() -> int:
    warnings.simplefilter("ignore")
    path = Path(__file__).with_name("autograd.md")
    text = table()
    if "--check" in sys.argv[1:]:
        return 0 if path.exists() and path.read_text() == text else 1
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
