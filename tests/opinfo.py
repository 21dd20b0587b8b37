"""devgrad against PyTorch's own database of operations.

    python tests/opinfo.py                 every entry; prints which are wrong and which are missing
    python tests/opinfo.py linalg.svd add  some entries
    python tests/opinfo.py --prefix fft    those whose names begin so
    python tests/opinfo.py --json FILE     what was found, for docs/operations.md

PyTorch keeps its operations in a table with sample inputs (``op_db``). Each entry is run in both
libraries on the same inputs, which no one here chose: values, shapes and dtypes of the results in
every dtype that PyTorch supports and devgrad has, first-order gradients in float64 (and
complex128), second-order gradients where PyTorch has them, the method and the in-place form.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import sys
import traceback
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import devgrad

DTYPES = {
    getattr(torch, name): getattr(devgrad, name)
    for name in ("float64", "float32", "complex128", "int64", "bool", "float16", "uint8")
}
TOLERANCES = {
    "float64": 1e-7, "complex128": 1e-7, "float32": 2e-4, "complex64": 2e-4, "float16": 4e-3,
}  # fmt: skip
SEED = 42  # what the table's own wrappers of random operations seed PyTorch with
# Entries that mean nothing for dense arrays on a CPU: sparse and nested layouts, quantisation,
# PyTorch's internals, other hardware.
WITHOUT_MEANING = (
    "sparse.", "to_sparse", "torch._scaled_mm", "nn.functional.scaled_grouped_mm",
    "nn.functional.scaled_mm", "torch.ops.aten._", "jiterator", "_segment_reduce",
    "_batch_norm_with_update", "_native_batch_norm_legit", "_softmax_backward_data",
    "_unsafe_masked_index", "_upsample_bilinear2d_aa",
    "_chunk_cat", "_refs", "resize_", "resize_as_", "addmm:decomposed", "as_strided:partial_views",
)  # fmt: skip


def title(entry: Any) -> str:
    return entry.name + (f":{entry.variant_test_name}" if entry.variant_test_name else "")


def meaningful() -> list[Any]:
    return [e for e in op_db if not any(title(e).startswith(w) for w in WITHOUT_MEANING)]


def lookup(name: str) -> Any:
    """devgrad's function of this name, or the method if there is no function; None if neither."""
    found: Any = devgrad
    for part in name.split("."):
        found = getattr(found, part, None)
    if name == "nn.functional.embedding" and found is not None:
        # The table's own samples have the weight first, for gradients.
        return lambda weight, index, **options: found(index, weight, **options)
    # torch.bool is a dtype; the entry of that name means the method.
    return found if callable(found) and found.__class__ is not devgrad.dtype else face(name)


# Entries that are not the function of their name, but something small that is made with it.
MADE_WITH = ("linalg.lstsq:grad_oriented", "linalg.pinv:singular", "svd_lowrank", "pca_lowrank")


# Entries whose places are any of several where values are equal: PyTorch promises no order (but of
# a stable sort), so what lies at the places is compared.
UNORDERED = ("sort", "argsort", "msort", "topk", "kthvalue", "mode")
# Entries whose float64 results PyTorch gets right to seven digits only (held against mpmath).
ROUGH = {"special.bessel_j0": 1e-6, "special.bessel_y1": 1e-6}


# Entries of which PyTorch's own gradient is wrong (of as_strided_scatter it is that of other
# places; of istft with a short complex window it is missing): ours are held against difference
# quotients.
QUOTIENTS = ("as_strided_scatter", "istft")
# Entries whose input is a triangle: PyTorch's own tests look at no gradient of the other one.
TRIANGULAR = ("cholesky_inverse", "cholesky_solve")


def with_devgrad(function: Any) -> Any:
    """A Python function of PyTorch's, with devgrad for torch."""
    names = {**function.__globals__, "torch": devgrad}
    found = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__)
    found.__kwdefaults__ = function.__kwdefaults__
    return found


def max_pool2d_backward(
    x: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool,
    return_indices: bool,
) -> Any:  # fmt: skip
    """What PyTorch's table makes with `torch.ops.aten.max_pool2d_with_indices_backward`."""
    out, indices = devgrad.nn.functional.max_pool2d(
        x, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True
    )
    return devgrad.max_pool2d_with_indices_backward(
        devgrad.ones_like(out), x, kernel_size, kernel_size if stride is None else stride, padding,
        dilation, ceil_mode, indices,
    )  # fmt: skip


def functions(entry: Any) -> tuple[Any, Any]:
    """What the entry runs, in PyTorch and in devgrad; None for what devgrad has not."""
    if title(entry) in MADE_WITH:
        return entry, with_devgrad(entry.op)
    if title(entry) == "max_pool2d_with_indices_backward":
        return entry, max_pool2d_backward
    if entry.name == "slice":
        return entry, lambda x, *args, **kwargs: devgrad.slice_copy(x, *args, **kwargs)
    if getattr(entry.op, "__name__", "") == "<lambda>" and not entry.name.startswith("nn."):
        return entry, with_devgrad(entry.op)  # lambda x: x.T
    ours = lookup(entry.name)
    if title(entry) in TRIANGULAR:
        wrapper = entry.gradcheck_wrapper
        return (
            functools.partial(wrapper, entry.op),
            ours and functools.partial(with_devgrad(wrapper), ours),
        )
    return entry, ours


def face(variant: Any) -> Any:
    """devgrad's method that goes by the name of PyTorch's."""
    name = variant if isinstance(variant, str) else getattr(variant, "__name__", "")
    return getattr(devgrad.Tensor, name, None) if name else None


def converted(x: Any, leaves: list[Any]) -> Any:
    """devgrad's own of a sample's argument; leaves that require grad are added to ``leaves``."""
    if isinstance(x, torch.Tensor):
        base = x.detach()
        if base.is_conj() or base.is_neg():
            base = base.resolve_conj().resolve_neg()
        y = devgrad.from_numpy(base.numpy().copy() if base.is_contiguous() else copied(base))
        if x.requires_grad:
            y.requires_grad_()
            leaves.append((x, y))
        return y
    if isinstance(x, torch.dtype):
        return getattr(devgrad, str(x).rpartition(".")[2])
    if isinstance(x, torch.device):
        return devgrad.device(str(x))
    if isinstance(x, torch.nn.Module):  # one without parameters: a distance
        return getattr(devgrad.nn, type(x).__name__)()
    if isinstance(x, torch.Generator):
        generator = devgrad.Generator()
        generator.set_state(devgrad.from_numpy(x.get_state().numpy()))
        return generator
    if isinstance(x, (torch.layout, torch.memory_format)):
        return getattr(devgrad, str(x).rpartition(".")[2])
    if isinstance(x, dict):
        return {k: converted(v, leaves) for k, v in x.items()}
    if type(x) in (tuple, list):
        return type(x)(converted(v, leaves) for v in x)
    return x


def copied(x: torch.Tensor) -> np.ndarray:
    """A copy with the same strides in its own memory."""
    extent = 1 + sum((n - 1) * abs(s) for n, s in zip(x.shape, x.stride(), strict=True) if n)
    flat = torch.as_strided(x, (extent,), (1,), x.storage_offset()).numpy().copy()
    item = flat.itemsize
    return np.lib.stride_tricks.as_strided(flat, x.shape, [s * item for s in x.stride()])


def flattened(x: Any, kind: type) -> list[Any]:
    """The tensors (and numbers) of a result, in order."""
    if isinstance(x, (tuple, list)):
        return [y for part in x for y in flattened(part, kind)]
    if isinstance(x, dict):
        return [y for part in x.values() for y in flattened(part, kind)]
    return [] if x is None else [x]


def difference(ours: Any, theirs: Any, dtype: Any, what: str) -> str | None:
    """What is wrong with our result, in words; None if nothing is."""
    if not isinstance(theirs, torch.Tensor):
        if isinstance(theirs, (torch.dtype, torch.device, torch.Size)):
            return None if str(ours) == str(theirs) else f"{what}: {ours} is not {theirs}"
        if isinstance(theirs, float) and isinstance(ours, float):
            return (
                None
                if np.isclose(ours, theirs, equal_nan=True)
                else f"{what}: {ours} is not {theirs}"
            )
        return None if ours == theirs else f"{what}: {ours!r} is not {theirs!r}"
    if not isinstance(ours, devgrad.Tensor):
        return f"{what}: {type(ours).__name__} instead of a tensor"
    if tuple(ours.shape) != tuple(theirs.shape):
        return f"{what}: shape {tuple(ours.shape)} instead of {tuple(theirs.shape)}"
    if str(ours.dtype).rpartition(".")[2] != str(theirs.dtype).rpartition(".")[2]:
        return f"{what}: {ours.dtype} instead of {theirs.dtype}"
    a = ours.detach().numpy()
    b = theirs.detach().numpy(force=True)
    tolerance = TOLERANCES.get(str(theirs.dtype).rpartition(".")[2], 0.0)
    tolerance = max(tolerance, ROUGH.get(what.removeprefix("result of ").partition("[")[0], 0.0))
    if what.startswith("second"):  # derived twice: what was lost to rounding is lost twice
        tolerance *= 10
        b = np.where(np.isnan(b), a, b)  # theirs may be NaN where ours is a number: 0 met infinity
    with np.errstate(all="ignore"):
        same = (
            "empty" in what or np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
            if tolerance
            else "empty" in what or (a == b).all()
        )
    if same:
        return None
    with np.errstate(all="ignore"):
        largest = np.nanmax(np.abs(a.astype(complex) - b.astype(complex))) if a.size else 0
    return f"{what}: values differ, by at most {largest:.3g}"


@dataclass
class Report:
    name: str
    missing: bool = False
    samples: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        return "MISSING" if self.missing else "WRONG" if self.faults else "PASS"


def weighted(results: list[Any], lib: Any) -> Any:
    """A scalar that depends on every differentiable result, unevenly, so that no error cancels."""
    total = None
    for k, r in enumerate(results):
        if getattr(r, "requires_grad", False):
            n = r.numel()
            weights = np.cos(np.arange(n, dtype=float) + k).reshape(tuple(r.shape)) + 0.3
            w = lib.from_numpy(np.array(weights))
            term = (
                (lib.real(r) * w).sum() + (lib.imag(r) * (w * 0.7)).sum()
                if r.is_complex()
                else (r * w).sum()
            )
            total = term if total is None else total + term
    return total


def at_places(entry: Any, sample: Any, places: list[Any], lib: Any) -> list[Any]:
    """The results with each tensor of places replaced by what lies there."""
    if entry.name not in UNORDERED or sample.kwargs.get("stable") or not sample.input.ndim:
        return places
    names = {"kthvalue": 1, "topk": 1}  # how many arguments stand before `dim`
    before = names.get(entry.name, 0)
    rest = [a for a in sample.args[before:] if not isinstance(a, bool)]
    dim = sample.kwargs.get("dim", rest[0] if rest else -1)
    values = sample.input.detach()
    values = values if lib is torch else lib.from_numpy(values.numpy())
    found = []
    for k, x in enumerate(places):
        if k == len(places) - 1 and str(x.dtype).endswith("int64"):
            lost = x.ndim < values.ndim
            x = lib.take_along_dim(values, x.unsqueeze(dim) if lost else x, dim)
        found.append(x)
    return found


def compare(ours: list[Any], theirs: list[Any], dtype: Any, what: str) -> str | None:
    if len(ours) != len(theirs):
        return f"{what}: {len(ours)} results instead of {len(theirs)}"
    for k, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        fault = difference(a, b, dtype, f"{what}[{k}]")
        if fault:
            return fault
    return None


def gradients(entry: Any, results: list[Any], ours: list[Any], leaves: list[Any]) -> str | None:
    """First- and second-order gradients of one sample in both libraries."""
    a, b = weighted(ours, devgrad), weighted(results, torch)
    if b is None:
        return "ours requires grad, PyTorch's does not" if a is not None else None
    if a is None:
        return "PyTorch's requires grad, ours does not"
    second = bool(entry.supports_gradgrad)
    try:
        theirs = torch.autograd.grad(
            b, [x for x, _ in leaves], create_graph=second, allow_unused=True
        )
    except RuntimeError:  # PyTorch itself refuses
        return None
    own = devgrad.autograd.grad(a, [y for _, y in leaves], create_graph=second, allow_unused=True)

    def zeros_for_none(grads: Any, lib: Any, k: int) -> list[Any]:
        return [
            lib.zeros_like(pair[k]) if g is None else g
            for g, pair in zip(grads, leaves, strict=True)
        ]

    fault = compare(
        zeros_for_none(own, devgrad, 1), zeros_for_none(theirs, torch, 0), None, "gradient"
    )
    if fault or not second:
        return fault
    a2 = weighted([g for g in own if g is not None], devgrad)
    b2 = weighted([g for g in theirs if g is not None], torch)
    if a2 is None and b2 is None:
        return None
    none = [None] * len(leaves)
    try:
        theirs2 = (
            none
            if b2 is None
            else torch.autograd.grad(b2, [x for x, _ in leaves], allow_unused=True)
        )
    except RuntimeError as error:
        # Nor is it in PyTorch; or PyTorch trips over a weight that was not given.
        if "is not implemented" in str(error) or "undefined Tensor" in str(error):
            return None
        raise
    own2 = (
        none if a2 is None else devgrad.autograd.grad(a2, [y for _, y in leaves], allow_unused=True)
    )
    return compare(
        zeros_for_none(own2, devgrad, 1), zeros_for_none(theirs2, torch, 0), None, "second gradient"
    )


def by_quotients(function: Any, x: Any, args: Any, kwargs: Any) -> bool:
    """Whether the gradients of a sample agree with difference quotients."""
    slots: list[Any] = []

    def leaf(y: Any) -> Any:
        if isinstance(y, devgrad.Tensor) and y.requires_grad:
            slots.append(y.detach().requires_grad_())
            return len(slots) - 1, slots
        return y

    marked = [leaf(x), [leaf(y) for y in args], {k: leaf(v) for k, v in kwargs.items()}]

    def call(*leaves: Any) -> Any:
        def taken(y: Any) -> Any:
            return leaves[y[0]] if isinstance(y, tuple) and y[1:] == (slots,) else y

        return function(
            taken(marked[0]), *map(taken, marked[1]), **{k: taken(v) for k, v in marked[2].items()}
        )

    return bool(devgrad.autograd.gradcheck(call, tuple(slots), raise_exception=False))


def check(entry: Any, limit: int) -> Report:
    """Run one entry of the table; at most ``limit`` samples of each dtype."""
    report = Report(title(entry))
    original, function = functions(entry)
    # Some entries give a partial of the function as their method: there is none.
    variants = [
        v if hasattr(v, "__name__") else None for v in (entry.method_variant, entry.inplace_variant)
    ]
    method, inplace = map(face, variants)
    if title(entry) in TRIANGULAR and method is not None:
        method = functools.partial(with_devgrad(entry.gradcheck_wrapper), method)
    if function is None:
        report.missing = True
        return report
    for variant, own in zip(variants, (method, inplace), strict=True):
        if variant is not None and own is None and hasattr(torch.Tensor, variant.__name__):
            report.faults.append(f"no method {variant.__name__}")
    for dtype in DTYPES:
        if not entry.supports_dtype(dtype, "cpu"):
            continue
        differentiable = entry.supports_autograd and dtype in (torch.float64, torch.complex128)
        differentiable = differentiable and entry.supports_dtype(dtype, "cpu")
        torch.manual_seed(7)
        samples = entry.sample_inputs("cpu", dtype, requires_grad=differentiable)
        for number, sample in enumerate(itertools.islice(samples, limit)):
            fault = one(entry, sample, dtype, original, function, method, inplace)
            report.samples += 1
            if fault:
                arguments = str((sample.input, sample.args, sample.kwargs)).replace("\n", " ")
                report.faults.append(
                    f"{str(dtype)[6:]} sample {number}: {fault}\n      {arguments[:300]}"
                )
                break
    return report


def one(
    entry: Any, sample: Any, dtype: Any, original: Any, function: Any, method: Any, inplace: Any
) -> str | None:
    leaves: list[Any] = []
    try:
        torch.manual_seed(SEED)
        theirs = original(sample.input, *sample.args, **sample.kwargs)
        theirs_flat = flattened(sample.output_process_fn_grad(theirs), torch.Tensor)
    except Exception:  # PyTorch itself refuses
        return None
    try:
        x, args, kwargs = converted((sample.input, sample.args, sample.kwargs), leaves)
        devgrad.manual_seed(SEED)
        ours = function(x, *args, **kwargs)
        ours_flat = flattened(sample.output_process_fn_grad(ours), devgrad.Tensor)
        fault = compare(ours_flat, theirs_flat, dtype, f"result of {entry.name}")
        if fault:
            fault = compare(
                at_places(entry, sample, ours_flat, devgrad),
                at_places(entry, sample, theirs_flat, torch),
                dtype, f"result of {entry.name}",
            )  # fmt: skip
            if not fault:  # elsewhere among equals: gradients would be elsewhere, too
                return None
        if fault and not nearer(original, sample, ours_flat, theirs_flat):
            return fault
        if fault:
            return None
        if leaves:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fault = gradients(entry, theirs_flat, ours_flat, leaves)
                if fault and entry.name in QUOTIENTS and by_quotients(function, x, args, kwargs):
                    fault = None
            if fault:
                return fault
        if method is not None and isinstance(x, devgrad.Tensor):
            devgrad.manual_seed(SEED)
            got = flattened(
                sample.output_process_fn_grad(method(x, *args, **kwargs)), devgrad.Tensor
            )
            fault = compare(got, theirs_flat, dtype, f"method {entry.name}")
            if fault:
                return fault
        if (
            inplace is not None
            and isinstance(sample.input, torch.Tensor)
            and not sample.broadcasts_input
        ):
            try:
                torch.manual_seed(SEED)
                y = sample.input.detach().clone()
                expected = entry.inplace_variant(
                    y, *detached(sample.args), **detached(sample.kwargs)
                )
            except Exception:
                return None
            devgrad.manual_seed(SEED)
            z, args, kwargs = converted(detached((sample.input, sample.args, sample.kwargs)), [])
            z = z.clone()
            got = inplace(z, *args, **kwargs)
            if got is not z and isinstance(got, devgrad.Tensor):
                return "in place: the result is another object"
            fault = compare(
                flattened(got, devgrad.Tensor), flattened(expected, torch.Tensor), dtype, "in place"
            )
        return fault
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{where.filename.rpartition('/')[2]}:{where.lineno}"
        return f"{type(error).__name__}: {str(error)[:200]} ({place})"


def nearer(original: Any, sample: Any, ours: list[Any], theirs: list[Any]) -> bool:
    """Whether our results in a narrow dtype are as near as PyTorch's to its own in float64."""
    narrow = (torch.float16, torch.float32, torch.complex64)
    if len(ours) != len(theirs) or not all(
        isinstance(b, torch.Tensor) and b.dtype in narrow and tuple(a.shape) == tuple(b.shape)
        and str(a.dtype) == str(b.dtype)
        for a, b in zip(ours, theirs, strict=True)
    ):  # fmt: skip
        return False

    def widened(x: Any) -> Any:
        if isinstance(x, torch.Tensor):
            wide = torch.complex128 if x.is_complex() else torch.float64
            return x.detach().to(wide if x.dtype in narrow else x.dtype)
        if type(x) in (tuple, list):
            return type(x)(map(widened, x))
        return {k: widened(v) for k, v in x.items()} if isinstance(x, dict) else x

    torch.manual_seed(SEED)
    exact = original(widened(sample.input), *widened(sample.args), **widened(sample.kwargs))
    exact = flattened(sample.output_process_fn_grad(exact), torch.Tensor)
    for a, b, c in zip(ours, theirs, exact, strict=True):
        c = c.to(b.dtype).numpy()  # what is too large for the dtype is infinite
        with np.errstate(all="ignore"):
            errors = [
                np.where((x == c) | (np.isnan(x) & np.isnan(c)), 0, np.abs(x.astype(c.dtype) - c))
                for x in (a.detach().numpy(), b.detach().numpy())
            ]
        own, other = (np.nan_to_num(e.astype(float), nan=np.inf).max(initial=0) for e in errors)
        if own > other:
            return False
    return True


def detached(x: Any) -> Any:
    if isinstance(x, torch.Tensor):
        return x.detach()
    if isinstance(x, dict):
        return {k: detached(v) for k, v in x.items()}
    if type(x) in (tuple, list):
        return type(x)(detached(v) for v in x)
    return x


def chosen(names: list[str], prefix: str | None) -> Iterator[Any]:
    for entry in meaningful():
        name = title(entry)
        if prefix is not None and not name.startswith(prefix):
            continue
        if names and name not in names and entry.name not in names:
            continue
        yield entry


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="entries (all variants of a name)")
    parser.add_argument("--prefix", help="entries whose names begin so")
    parser.add_argument("--limit", type=int, default=40, help="samples of each dtype (default 40)")
    parser.add_argument("--json", help="write the verdicts there")
    parser.add_argument("--quiet", action="store_true", help="print the summary alone")
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    reports = []
    for entry in chosen(options.names, options.prefix):
        try:
            report = check(entry, options.limit)
        except Exception as error:  # a sample generator of PyTorch's may need what is not here
            report = Report(title(entry), faults=[f"harness: {type(error).__name__}: {error}"])
        reports.append(report)
        if not options.quiet:
            print(f"{report.verdict:8}{report.name}  ({report.samples} samples)", flush=True)
            for fault in report.faults:
                print(f"    {fault}", flush=True)
    count = {v: sum(r.verdict == v for r in reports) for v in ("PASS", "WRONG", "MISSING")}
    print(", ".join(f"{v} {n}" for v, n in count.items()), f"of {len(reports)}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(
                {r.name: {"verdict": r.verdict, "faults": r.faults} for r in reports},
                file,
                indent=1,
            )
    return 0 if count["WRONG"] == count["MISSING"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
