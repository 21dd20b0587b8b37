"""Every operation, by the table in ``op_samples/``: values, derivatives and faces.

PyTorch is the oracle for values, dtypes, first- and second-order gradients, names and errors;
difference quotients, which need no oracle, check the derivatives once more. Samples are also run
with inputs that are transposed, strided, expanded and broadcast.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import pkgutil
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import op_samples
import pytest
from gradcheck import Kink, check_gradient, random_like
from op_samples._base import Row, Sample
from placement import bare, host, is_array, numpy_of, placed, share_memory

import devgrad
from devgrad.autograd._graph import Node
from devgrad.ops import OPS

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")


def _rows() -> Iterator[Any]:
    seen: dict[str, int] = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(op_samples.__path__)):
        if module.startswith("_"):
            continue
        for row in importlib.import_module(f"op_samples.{module}").ROWS:
            name = f"{module}:{row.name}"
            seen[name] = seen.get(name, 0) + 1
            yield pytest.param(row, id=name if seen[name] == 1 else f"{name}:{seen[name]}")


devgrad.ops.load_all()  # families that are imported when first asked for
ROWS = list(_rows())
each_row = pytest.mark.parametrize("row", ROWS)
DIFFERENTIABLE = [p for p in ROWS if p.values[0].grad]
each_differentiable = pytest.mark.parametrize("row", DIFFERENTIABLE)

# --- running a sample in either library -----------------------------------------------------------


def lookup(lib: Any, name: str) -> Any:
    found = lib
    for part in name.split("."):
        found = getattr(found, part)
    return found


def is_tensor(x: Any) -> bool:
    return isinstance(x, devgrad.Tensor) or (torch is not None and isinstance(x, torch.Tensor))


def mapped(x: Any, change: Callable[[np.ndarray], Any], dtype: Callable[[Any], Any]) -> Any:
    """``x`` with ``change`` applied to every array, and ``dtype`` to every dtype, in it."""
    if isinstance(x, (np.ndarray, np.generic)):  # NumPy's arithmetic makes scalars of 0-dim arrays
        return change(np.asarray(x))
    if isinstance(x, devgrad.dtype):
        return dtype(x)
    if isinstance(x, dict):
        return {k: mapped(v, change, dtype) for k, v in x.items()}
    if x.__class__ in (tuple, list):
        return type(x)(mapped(v, change, dtype) for v in x)
    return x


def arrays_in(x: Any) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    mapped(x, found.append, lambda d: d)
    return found


class Call:
    """A sample made ready in one library: its tensors, its leaves, its result."""

    def __init__(
        self, lib: Any, row: Row, sample: Sample, *, grad: bool, expand: bool = False,
        only: int | None = None,
    ) -> None:  # fmt: skip
        self.lib = lib
        self.row = row
        self.leaves: list[Any] = []
        self.tensors: list[Any] = []
        count = -1

        def tensor(array: np.ndarray) -> Any:
            nonlocal count
            expandable = expand and array.ndim and array.shape[0] > 1
            x = placed(lib, array[:1].copy() if expandable else array)
            if grad and array.dtype.kind in "fc":
                count += 1
                if only is None or only == count:
                    x.requires_grad_()
                    self.leaves.append(x)
            self.tensors.append(x)
            return x.expand(array.shape) if expandable else x

        def dtype(d: Any) -> Any:
            return getattr(lib, d.name)

        self.args = mapped(sample.args, tensor, dtype)
        self.kwargs = mapped(sample.kwargs, tensor, dtype)

    def run(self, function: Any = None) -> list[Any]:
        self.result = (function or lookup(self.lib, self.row.name))(*self.args, **self.kwargs)
        self.outputs = flat(self.result)
        return self.outputs

    def cotangents(self, seed: int = 7) -> list[Any]:
        """Random gradients, the same in either library, for the outputs that require grad."""
        rng = np.random.default_rng(seed)
        return [
            placed(self.lib, random_like(numpy_of(y), rng)) for y in self.outputs if y.requires_grad
        ]

    def gradients(self, create_graph: bool = False, cotangents: Any = None) -> list[Any]:
        outputs = [y for y in self.outputs if y.requires_grad]
        if not outputs:
            return [None] * len(self.leaves)
        cotangents = self.cotangents() if cotangents is None else cotangents
        return list(
            self.lib.autograd.grad(
                outputs, self.leaves, cotangents, create_graph=create_graph, allow_unused=True
            )
        )


def flat(result: Any) -> list[Any]:
    if is_tensor(result):
        return [result]
    if isinstance(result, (tuple, list)):
        return [x for part in result for x in flat(part)]
    return []


def cast_sample(sample: Sample, dtype: str) -> Sample:
    """The sample with its float (and complex) arrays in another dtype."""

    def change(array: np.ndarray) -> np.ndarray:
        if array.dtype.kind == "c":
            small = dtype in ("float16", "float32", "complex64")
            return array.astype("complex64") if small else array
        return array.astype(dtype) if array.dtype.kind == "f" else array

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Sample(*mapped((sample.args, sample.kwargs), change, lambda d: d))


def transposed(a: np.ndarray) -> np.ndarray:
    return np.asfortranarray(a) if a.ndim else a  # (NumPy makes 0-dim ones 1-dim)


def strided(a: np.ndarray) -> np.ndarray:
    if not a.ndim:
        return a
    wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)
    wide[..., ::2] = a
    return wide[..., ::2]


def variants(sample: Sample) -> Iterator[tuple[str, Sample]]:
    """The sample as it is, and with its arrays laid out otherwise in memory."""
    yield "as given", sample
    if any(a.ndim for a in arrays_in((sample.args, sample.kwargs))):
        for change in (transposed, strided):
            args, kwargs = mapped((sample.args, sample.kwargs), change, lambda d: d)
            yield change.__name__, Sample(args, kwargs)


def broadcast_variants(row: Row, sample: Sample) -> Iterator[tuple[str, Sample]]:
    """One operand at a time without its first dim, and with a last dim of one."""
    declared = OPS.get(row.name.rpartition(".")[2])
    if declared is None or not declared.promotes or declared.variadic:
        return
    for i, a in enumerate(sample.args):
        if isinstance(a, np.ndarray) and a.ndim and a.size and len(arrays_in(sample.args)) > 1:
            for what, smaller in (("first dim gone", a[0]), ("last dim 1", a[..., :1])):
                args = (*sample.args[:i], np.array(smaller), *sample.args[i + 1 :])
                yield f"operand {i}: {what}", Sample(args, sample.kwargs)


# --- comparing ------------------------------------------------------------------------------------

TOLERANCE = {"torch.float16": 2e-3, "torch.float32": 2e-5, "torch.complex64": 2e-5}
SHORT = 32  # how much of a message has to agree


def same(
    ours: Any, theirs: Any, row: Row, what: str, slack: float = 1.0, better: bool = False
) -> None:
    """One tensor of ours, one of PyTorch's: the same dtype, shape and values?

    With ``better``, ours may have a number where PyTorch's has nan: second derivatives where 0
    met infinity.
    """
    assert str(ours.dtype) == str(theirs.dtype), f"{what}: {ours.dtype}, in PyTorch {theirs.dtype}"
    assert tuple(ours.shape) == tuple(theirs.shape), (
        f"{what}: shape {tuple(ours.shape)}, in PyTorch {tuple(theirs.shape)}"
    )
    tolerance = max(TOLERANCE.get(str(ours.dtype), 0.0), row.tolerance) * slack
    got, wanted = numpy_of(ours), numpy_of(theirs)
    if better:
        wanted = np.where(np.isnan(wanted), got, wanted)
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance, err_msg=what)


def zero_if_none(g: Any, leaf: Any, lib: Any) -> Any:
    return lib.zeros_like(leaf.detach()) if g is None else g


# What PyTorch says where it has not got round to a dtype or a derivative: nothing to copy.
GAPS = (
    "not implemented",
    "not supported",
    "does not support",
    "Could this error message be",
    "INTERNAL ASSERT",
)


class Raised:
    def __init__(self, error: Exception) -> None:
        self.error = error


def attempt(action: Callable[[], Any], quiet: bool) -> tuple[Any, bool]:
    """What the action gives, or `Raised`; and whether it warned."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = action()
        except Exception as error:
            result = Raised(error)
    if caught and not quiet:
        warnings.warn_explicit(
            caught[0].message, caught[0].category, caught[0].filename, caught[0].lineno
        )
    return result, bool(caught)


def both(ours: Callable[[], Any], theirs: Callable[[], Any], what: str) -> tuple[Any, Any] | None:
    """The results of the same action in the two libraries; None where both refuse it alike."""
    expected, warned = attempt(theirs, quiet=True)
    got, _ = attempt(ours, quiet=warned)
    if isinstance(expected, Raised):
        if not isinstance(got, Raised) and devgrad.get_default_device().type == "cuda":
            # An error that depends on elements: on a GPU they are only looked at if asked for.
            devgrad.cuda.set_debug(True)
            try:
                got, _ = attempt(ours, quiet=True)
            finally:
                devgrad.cuda.set_debug(False)
        message = str(expected.error)
        if isinstance(got, Raised):
            if any(phrase in message for phrase in GAPS):
                return None
            assert isinstance(got.error, type(expected.error)), (
                f"{what}: {got.error!r}, in PyTorch {expected.error!r}"
            )
            return None
        if any(phrase in message for phrase in GAPS):
            return None
        raise AssertionError(f"{what}: no error, in PyTorch {expected.error!r}")
    if isinstance(got, Raised):
        raise AssertionError(f"{what}: {got.error!r}, no error in PyTorch") from got.error
    return got, expected


# --- (a) values -----------------------------------------------------------------------------------


@needs_torch
@each_row
def test_values_shapes_and_dtypes(row: Row) -> None:
    for number, sample in enumerate(row.samples()):
        cases = [*variants(sample), *broadcast_variants(row, sample)]
        if any(a.dtype.kind == "f" for a in arrays_in((sample.args, sample.kwargs))):
            cases += [(d, cast_sample(sample, d)) for d in row.dtypes]
        for case, changed in cases:
            what = f"sample {number}, {case}"
            pair = both(
                lambda s=changed: Call(devgrad, row, s, grad=False).run(),
                lambda s=changed: Call(torch, row, s, grad=False).run(),
                what,
            )
            if pair is not None and "torch.complex32" not in {str(z.dtype) for z in pair[1]}:
                assert len(pair[0]) == len(pair[1]), what
                for i, (y, z) in enumerate(zip(*pair, strict=True)):
                    same(y, z, row, f"{what}, output {i}")


# --- (b), (c) derivatives -------------------------------------------------------------------------


def first_and_second(
    lib: Any, row: Row, sample: Sample, second: bool, expand: bool
) -> tuple[Any, Any, Any]:
    """The call, its outputs and gradients, and the gradients of a combination of the gradients."""
    call = Call(lib, row, sample, grad=True, expand=expand)
    outputs = call.run()
    if not second:
        found = zip(call.gradients(), call.leaves, strict=True)
        return call, outputs, [zero_if_none(g, x, lib) for g, x in found]
    cotangents = [v.requires_grad_() for v in call.cotangents()]
    found = call.gradients(create_graph=True, cotangents=cotangents)
    rng = np.random.default_rng(11)
    gradients = [zero_if_none(g, x, lib) for g, x in zip(found, call.leaves, strict=True)]
    again = [g for g in gradients if g.requires_grad]
    weights = [placed(lib, random_like(numpy_of(g), rng)) for g in gradients]
    if again:
        inputs = [*call.leaves, *cotangents]
        deeper = lib.autograd.grad(
            again,
            inputs,
            [w for w, g in zip(weights, gradients, strict=True) if g.requires_grad],
            allow_unused=True,
        )
        gradients += [zero_if_none(g, x, lib) for g, x in zip(deeper, inputs, strict=True)]
    return call, outputs, gradients


@needs_torch
@each_differentiable
@pytest.mark.parametrize("order", ["first", "second"])
def test_gradients_against_torch(row: Row, order: str) -> None:
    if order == "second" and not row.second:
        pytest.skip("declared to have no second derivative")
    for number, sample in enumerate(row.samples()):
        cases = [(name, s, False) for name, s in variants(sample)]
        cases += [(name, s, False) for name, s in broadcast_variants(row, sample)]
        cases += [("expanded", sample, True)] if hasattr(devgrad.Tensor, "expand") else []
        if order == "second":
            cases = cases[:1] + cases[-1:]
        elif "float32" in row.dtypes:
            cases.append(("float32", cast_sample(sample, "float32"), False))
        for case, changed, expand in cases:
            what = f"sample {number}, {case}"
            pair = both(
                lambda s=changed, e=expand: first_and_second(devgrad, row, s, order == "second", e),
                lambda s=changed, e=expand: first_and_second(torch, row, s, order == "second", e),
                what,
            )
            if pair is None:
                continue
            (ours, outputs, grads), (theirs, torch_outputs, torch_grads) = pair
            assert [y.requires_grad for y in outputs] == [y.requires_grad for y in torch_outputs], (
                f"{what}: requires_grad of the outputs"
            )
            n = len(ours.leaves)
            assert n == len(theirs.leaves)
            if len(grads) != len(torch_grads):
                # One of the libraries knows that the second derivative is zero, and drops it.
                longer = max(grads, torch_grads, key=len)[n:]
                assert all(not np.any(numpy_of(g)) or i >= n for i, g in enumerate(longer)), what
            for i, (g, h) in enumerate(zip(grads, torch_grads, strict=False)):
                which = f"leaf {i}" if i < n else f"second order, {i - n}"
                slack = 20 if order == "second" or "32" in str(g.dtype) else 1
                same(g, h, row, f"{what}, gradient of {which}", slack, better=i >= n)


@pytest.mark.host_only("the derivatives' formulas; on devices they are compared with PyTorch's")
@each_differentiable
@pytest.mark.parametrize("order", ["first", "second"])
def test_gradients_against_difference_quotients(row: Row, order: str) -> None:
    if order == "second" and not row.second:
        pytest.skip("declared to have no second derivative")
    checked = kinks = 0
    for sample in row.samples():
        inputs = arrays_in((sample.args, sample.kwargs))
        floats = [a for a in inputs if a.dtype.kind in "fc"]
        if not floats or sum(a.size for a in floats) > 200:
            continue
        if any(a.size and not np.isfinite(a).all() for a in floats):
            continue
        cases = list(variants(sample)) if order == "first" else [("as given", sample)]
        cases += list(broadcast_variants(row, sample))[:2]
        for what, changed in cases:
            try:
                _check_numerically(row, changed, order)
                checked += 1
            except Kink:
                kinks += 1
            except RuntimeError as error:
                # A view may be refused of elements that lie otherwise in memory.
                if what == "as given" or not re.search("stride|view size", str(error)):
                    raise
    if not checked and not kinks:
        pytest.skip("no small sample with finite inputs")
    assert checked, f"each of {kinks} samples lies at a kink: add one that does not"


def _check_numerically(row: Row, sample: Sample, order: str) -> None:
    floats = [a for a in arrays_in((sample.args, sample.kwargs)) if a.dtype.kind in "fc"]

    def at(point: Sequence[np.ndarray]) -> Sample:
        values = iter(point)

        def change(a: np.ndarray) -> np.ndarray:
            if a.dtype.kind not in "fc":
                return a
            value = np.empty_like(a)  # of the same layout
            value[...] = next(values)
            return value

        return Sample(*mapped((sample.args, sample.kwargs), change, lambda d: d))

    call = Call(devgrad, row, sample, grad=True)
    call.run()
    kept = [i for i, y in enumerate(call.outputs) if y.requires_grad]
    if not kept:
        raise Kink
    cotangents = [numpy_of(v) for v in call.cotangents()]

    if order == "first":
        found = [
            numpy_of(zero_if_none(g, x, devgrad))
            for g, x in zip(call.gradients(), call.leaves, strict=True)
        ]

        def value(point: Sequence[np.ndarray]) -> float:
            outputs = Call(devgrad, row, at(point), grad=False).run()
            return float(
                sum(
                    np.sum(np.conj(v) * numpy_of(outputs[i])).real
                    for i, v in zip(kept, cotangents, strict=True)
                )
            )

        check_gradient(value, floats, found)
        return

    v = [placed(devgrad, c).requires_grad_() for c in cotangents]
    gradients = [
        zero_if_none(g, x, devgrad)
        for g, x in zip(call.gradients(create_graph=True, cotangents=v), call.leaves, strict=True)
    ]
    rng = np.random.default_rng(11)
    weights = [random_like(numpy_of(g), rng) for g in gradients]
    recorded = [i for i, g in enumerate(gradients) if g.requires_grad]
    inputs = [*call.leaves, *v]
    deeper: Any = [None] * len(inputs)  # a gradient that is constant
    if recorded:
        deeper = devgrad.autograd.grad(
            [gradients[i] for i in recorded],
            inputs,
            [placed(devgrad, weights[i]) for i in recorded],
            allow_unused=True,
        )
    found = [numpy_of(zero_if_none(g, x, devgrad)) for g, x in zip(deeper, inputs, strict=True)]

    def slope(point: Sequence[np.ndarray]) -> float:
        # As a function of the inputs and of the cotangents, which a second derivative has too.
        again = Call(devgrad, row, at(point[: len(floats)]), grad=True)
        again.run()
        given = [placed(devgrad, c) for c in point[len(floats) :]]
        first = again.gradients(cotangents=given)
        return float(
            sum(
                np.sum(np.conj(w) * numpy_of(g)).real
                for w, g in zip(weights, first, strict=True)
                if g is not None
            )
        )

    check_gradient(slope, [*floats, *cotangents], found, tolerance=1e-5)


# --- (d) faces ------------------------------------------------------------------------------------


def split_method(row: Row) -> str | None:
    """The method's name, if the row's function works on its first argument."""
    prefix, _, name = row.name.rpartition(".")
    return name if prefix in ("", "Tensor") else None


@needs_torch
@each_row
def test_method_is_the_function(row: Row) -> None:
    name = split_method(row)
    if name is None or row.name.startswith("Tensor.") or not hasattr(torch.Tensor, name):
        pytest.skip("no method in PyTorch, or nothing else")
    assert hasattr(devgrad.Tensor, name), f"there is no Tensor.{name}"
    for number, sample in enumerate(row.samples()):
        if not sample.args or not isinstance(sample.args[0], np.ndarray):
            continue

        def method(lib: Any, s: Sample = sample) -> list[Any]:
            call = Call(lib, row, s, grad=False)
            return call.run(lambda x, *rest, **kw: getattr(x, name)(*rest, **kw))

        expected, warned = attempt(lambda: method(torch), quiet=True)
        if isinstance(expected, Raised):
            continue  # the function takes what the method does not
        got, _ = attempt(lambda: method(devgrad), quiet=warned)
        if isinstance(got, Raised):
            raise AssertionError(f"sample {number}: {got.error!r}") from got.error
        for y, z in zip(got, expected, strict=True):
            same(y, z, row, f"sample {number}")


@needs_torch
@each_row
def test_in_place(row: Row) -> None:
    name = split_method(row)
    if name is None or not hasattr(torch.Tensor, f"{name}_") or name.endswith("_"):
        assert not row.inplace, f"PyTorch has no {name}_"
        pytest.skip("no in-place form in PyTorch")
    assert hasattr(devgrad.Tensor, f"{name}_"), f"there is no Tensor.{name}_"
    worked = 0
    for number, sample in enumerate(row.samples()):
        if not sample.args or not isinstance(sample.args[0], (np.ndarray, np.generic)):
            continue
        cases = [(f"sample {number}", sample)]
        cases += [(f"sample {number}, {d}", cast_sample(sample, d)) for d in row.dtypes]
        first = np.asarray(sample.args[0])
        if first.dtype.kind == "f":
            ints = (first.astype("int64"), *sample.args[1:])
            cases.append((f"sample {number}, int64 changed", Sample(ints, sample.kwargs)))
        for what, changed in cases:
            worked += _in_place(row, name, changed, what)
    assert worked or not row.inplace, "no sample has an in-place form that PyTorch allows"


def _in_place(row: Row, name: str, sample: Sample, what: str, grad: bool = True) -> int:
    grad = grad and row.grad

    def change(lib: Any) -> tuple[Any, list[Any]]:
        call = Call(lib, row, sample, grad=grad)
        x = call.args[0]
        target = x * 1 if x.dtype != lib.bool else x
        before = target._version
        kept = numpy_of(target)
        try:
            y = getattr(target, f"{name}_")(*call.args[1:], **call.kwargs)
        except Exception:
            if lib is devgrad:  # PyTorch may notice only half-way
                np.testing.assert_array_equal(numpy_of(target), kept, err_msg="changed it")
                assert target._version == before, "a refused call raised the version"
            raise
        assert y is target
        assert target._version > before, "the version was not raised"
        call.outputs = [y]
        gradients = call.gradients()
        if grad and x.requires_grad and x.is_leaf:
            values = numpy_of(x)
            with pytest.raises(RuntimeError, match="^a leaf Variable that requires grad is being"):
                getattr(x, f"{name}_")(*call.args[1:], **call.kwargs)
            np.testing.assert_array_equal(numpy_of(x), values)
        return y, [zero_if_none(g, x, lib) for g, x in zip(gradients, call.leaves, strict=True)]

    pair = both(lambda: change(devgrad), lambda: change(torch), f"{name}_, {what}")
    if pair is None:  # PyTorch has a few in-place operations without a derivative
        return _in_place(row, name, sample, what, grad=False) if grad else 0
    (y, grads), (z, torch_grads) = pair
    same(y, z, row, f"{name}_, {what}")
    assert y.requires_grad == z.requires_grad
    for g, h in zip(grads, torch_grads, strict=True):
        same(g, h, row, f"{name}_, {what}, gradient", 20)
    return 1


@needs_torch
@each_row
def test_out(row: Row) -> None:
    if row.name.startswith("Tensor."):
        pytest.skip("a method has no out=")
    takes_out = False
    for number, sample in enumerate(row.samples()):

        def write(lib: Any, s: Sample = sample) -> list[Any] | None:
            call = Call(lib, row, s, grad=False)
            plain = [numpy_of(y) for y in call.run()]
            targets = [lib.zeros_like(y) for y in call.outputs]
            out = targets[0] if is_tensor(call.result) else tuple(targets)
            again = Call(lib, row, s, grad=False)
            again.kwargs["out"] = out
            again.run()
            assert again.result is out or isinstance(out, tuple), "it does not return out"
            for t, p in zip(targets, plain, strict=True):
                np.testing.assert_allclose(numpy_of(t), p, rtol=1e-12)
            return targets

        expected, warned = attempt(lambda: write(torch), quiet=True)
        if isinstance(expected, Raised):
            continue
        takes_out = True
        got, _ = attempt(lambda: write(devgrad), quiet=warned)
        if isinstance(got, Raised):
            raise AssertionError(f"sample {number}: {got.error!r}, fine in PyTorch") from got.error
        if row.grad:

            def refused(lib: Any, s: Sample = sample) -> None:
                call = Call(lib, row, s, grad=True)
                call.run()
                if not any(y.requires_grad for y in call.outputs):
                    return
                targets = [lib.zeros_like(y.detach()) for y in call.outputs]
                kept = [numpy_of(t) for t in targets]
                call.kwargs["out"] = targets[0] if is_tensor(call.result) else tuple(targets)
                with pytest.raises(RuntimeError, match="support automatic differentiation"):
                    call.run()
                for t, k in zip(targets, kept, strict=True):
                    np.testing.assert_array_equal(numpy_of(t), k)

            refused(devgrad)
    if not takes_out:
        pytest.skip("no out= in PyTorch")


# --- (e) names ------------------------------------------------------------------------------------

# Where our graph has another name than PyTorch's: (row, ours, theirs) -> why.
_ONE_OP = "one operation for numbers and tensors, where PyTorch has two"
_ONE_NODE = "one operation with a derivative of its own, where PyTorch copies piece by piece"
_COMPOSED = "PyTorch has a node of its own where ours are those of the operations it is made of"
_COMPOSED = "composed of simpler operations"
OTHER_NAMES: dict[tuple[str, str, str], str] = {
    ("fft.ifft", "FftR2CBackward0", "ConjBackward0"): _COMPOSED,
    ("trapezoid", "SumBackward1", "MulBackward1"): _COMPOSED,
    ("trapz", "SumBackward1", "MulBackward1"): _COMPOSED,
    ("trapezoid", "SumBackward1", "DivBackward1"): _COMPOSED,
    ("trapz", "SumBackward1", "DivBackward1"): _COMPOSED,
    ("cumulative_trapezoid", "CumsumBackward0", "MulBackward1"): _COMPOSED,
    ("cumulative_trapezoid", "CumsumBackward0", "DivBackward1"): _COMPOSED,
    ("index_reduce", "ScatterReduceBackward0", "IndexReduceBackward0"): _COMPOSED,
    ("Tensor.sum_to_size", "ViewBackward0", "SumBackward1"): _COMPOSED,
    ("expand_copy", "CloneBackward0", "ExpandBackward0_copy"): _COMPOSED,
    ("narrow_copy", "CloneBackward0", "NarrowCopyBackward0"): _COMPOSED,
    ("unbind_copy", "CloneBackward0", "UnbindBackward0_copy"): _COMPOSED,
    ("unsafe_split", "CloneBackward0", "UnsafeSplitBackward0"): _COMPOSED,
    ("unsafe_chunk", "CloneBackward0", "UnsafeSplitBackward0"): _COMPOSED,
    ("slice_copy", "CloneBackward0", "SliceBackward0_copy"): _COMPOSED,
    ("special.ndtr", "NdtrBackward0", "MulBackward1"): _COMPOSED,
    ("stft", "SqueezeBackward1", "SqueezeBackward4"): _COMPOSED,
    ("stft", "TransposeBackward0", "TransposeBackward1"): _COMPOSED,
    ("special.xlog1py", "SpecialXlog1PyBackward0", "SpecialXlog1PyBackward1"): _ONE_OP,
    ("special.xlog1py", "SpecialXlog1PyBackward0", "SpecialXlog1PyBackward2"): _ONE_OP,
    ("linalg.solve", "SelectBackward0", "LinalgSolveExBackward0"): _COMPOSED,
    ("linalg.solve", "TransposeBackward0", "LinalgSolveExBackward0"): _COMPOSED,
    ("linalg.solve_triangular", "TransposeBackward0", "LinalgSolveTriangularBackward0"): _COMPOSED,
    ("triangular_solve", "LinalgSolveTriangularBackward0", "TriangularSolveBackward0"): _COMPOSED,
    ("triangular_solve", "CloneBackward0", "TriangularSolveBackward0"): _COMPOSED,
    ("linalg.tensorinv", "ViewBackward0", "ReshapeAliasBackward0"): _COMPOSED,
    ("linalg.lstsq", "SliceBackward0", "LinalgLstsqBackward0"): _COMPOSED,
    ("linalg.lstsq", "SumBackward1", "LinalgLstsqBackward0"): _COMPOSED,
    ("linalg.lstsq", "SelectBackward0", "LinalgLstsqBackward0"): _COMPOSED,
    ("linalg.householder_product", "SubBackward0", "LinalgHouseholderProductBackward0"): _COMPOSED,
    ("orgqr", "SubBackward0", "LinalgHouseholderProductBackward0"): _COMPOSED,
    ("ormqr", "SubBackward0", "OrmqrBackward0"): _COMPOSED,
    ("linalg.lu", "AddBackward0", "LinalgLuBackward0"): _COMPOSED,
    ("linalg.lu", "TriuBackward0", "LinalgLuBackward0"): _COMPOSED,
    ("linalg.lu_solve", "LinalgSolveTriangularBackward0", "LinalgLuSolveBackward0"): _COMPOSED,
    ("linalg.lu_solve", "TransposeBackward0", "LinalgLuSolveBackward0"): _COMPOSED,
    ("linalg.lu_solve", "InOrderBackward0", "LinalgLuSolveBackward0"): _COMPOSED,
    ("lu_solve", "LinalgSolveTriangularBackward0", "LinalgLuSolveBackward0"): _COMPOSED,
    ("lu_unpack", "AddBackward0", "LuUnpackBackward0"): _COMPOSED,
    ("lu_unpack", "TriuBackward0", "LuUnpackBackward0"): _COMPOSED,
    ("linalg.matrix_power", "IdentityBackward0", "CopyBackwards"): _COMPOSED,
    ("linalg.matrix_norm", "UnsqueezeBackward0", "PermuteBackward0"): _COMPOSED,
    ("linalg.cond", "DivBackward0", "SqueezeBackward1"): _COMPOSED,
    ("dist", "LinalgVectorNormBackward0", "DistBackward0"): _COMPOSED,
    ("cdist", "EuclideanDistBackward0", "ViewBackward0"): _COMPOSED,
    ("renorm", "MulBackward0", "RenormBackward0"): _COMPOSED,
    ("corrcoef", "AddBackward0", "ComplexBackward0"): _COMPOSED,
    ("einsum", "PermuteBackward0", "MulBackward0"): "the same product, its steps in other order",
    ("rsub", "RsubBackward1", "RsubBackward0"): _ONE_OP,
    ("remainder", "RemainderBackward0", "RemainderBackward1"): _ONE_OP,
    ("fmod", "FmodBackward0", "FmodBackward1"): _ONE_OP,
    ("matmul", "UnsafeViewBackward0", "CloneBackward0"): "a matrix by batches needs no transposes",
    (
        "einsum",
        "MulBackward0",
        "ViewBackward0",
    ): "nothing is summed, so nothing is a product of matrices",
    (
        "nn.functional.conv2d",
        "ConvolutionBackward0",
        "AddBackward0",
    ): "complex ones are no sum here",
    ("nn.functional.conv_transpose2d", "ConvolutionBackward0", "AddBackward0"): "the same",
    ("nn.functional.grid_sample", "ViewBackward0", "GridSampler2DBackward0"): "made of others here",
    ("nn.functional.grid_sample", "ViewBackward0", "GridSampler3DBackward0"): "made of others here",
    **{
        (f"nn.functional.{loss}", "NllLoss2DBackward0", "ViewBackward0"): "nothing is reshaped"
        for loss in ("nll_loss", "cross_entropy", "linear_cross_entropy")
    },
    **{
        (f"nn.functional.{loss}", "DivBackward0", "DivBackward1"): _ONE_OP
        for loss in ("cross_entropy", "linear_cross_entropy")
    },
    **{
        (
            f"nn.functional.{loss}_margin_loss",
            f"{ours}Backward0",
            f"{loss.capitalize()}MarginLossBackward0",
        ): _COMPOSED
        for loss in ("multi", "multilabel")
        for ours in ("Div", "Mean", "Sum")
    },
    ("nn.functional.embedding_bag", "DivBackward0", "EmbeddingBagBackward0"): _COMPOSED,
    ("nn.functional.embedding_bag", "MaskedFillBackward0", "EmbeddingBagBackward0"): _COMPOSED,
    **{
        (
            f"{where}instance_norm",
            "NativeBatchNormBackward0",
            "ViewBackward0",
        ): "nothing is reshaped"
        for where in ("", "nn.functional.")
    },
    **{
        (f"{where}rms_norm", "FusedRmsNormBackward0", "MulBackward0"): "PyTorch's name on CUDA"
        for where in ("", "nn.functional.")
    },
    **{
        (f"{where}pairwise_distance", "LinalgVectorNormBackward0", "NormBackward1"): _ONE_OP
        for where in ("", "nn.functional.")
    },
    **{
        ("native_group_norm", ours, "NativeGroupNormBackward0"): _COMPOSED
        for ours in ("MeanBackward1", "RsqrtBackward0")
    },
    (
        "nn.functional.scaled_dot_product_attention",
        "UnsafeViewBackward0",
        "AddBackward0",
    ): "of no keys at all",
    ("nn.functional.pad", "CircularPad1DBackward0", "CopySlices"): _ONE_NODE,
    ("nn.functional.pad", "CircularPad2DBackward0", "CopySlices"): _ONE_NODE,
    ("nn.functional.pad", "CircularPad3DBackward0", "CopySlices"): _ONE_NODE,
}


@pytest.mark.host_only("names")
@needs_torch
@each_differentiable
def test_grad_fn_is_named_as_in_torch(row: Row) -> None:
    for number, sample in enumerate(row.samples()):
        ours = Call(devgrad, row, sample, grad=True)
        theirs = Call(torch, row, sample, grad=True)
        outputs, warned = attempt(theirs.run, quiet=True)
        if isinstance(outputs, Raised):
            continue
        got, _ = attempt(ours.run, quiet=warned)
        if isinstance(got, Raised):
            raise got.error
        for y, z in zip(got, outputs, strict=True):
            mine = None if y.grad_fn is None else type(y.grad_fn).__name__
            wanted = None if z.grad_fn is None else type(z.grad_fn).__name__
            if mine != wanted and (row.name, str(mine), str(wanted)) not in OTHER_NAMES:
                raise AssertionError(f"sample {number}: {mine}, in PyTorch {wanted}")


# --- (f) what a rule may not do -------------------------------------------------------------------


def nodes_of(outputs: Sequence[Any]) -> list[Node]:
    stack = [y.grad_fn for y in outputs if y.grad_fn is not None]
    found: dict[int, Node] = {}
    while stack:
        node = stack.pop()
        if id(node) not in found:
            found[id(node)] = node
            stack += [e.node for e in node.edges if e is not None]
    return list(found.values())


def saved_arrays(x: Any) -> Iterator[Any]:
    if is_array(x):
        yield x
    elif isinstance(x, (tuple, list)):
        for part in x:
            yield from saved_arrays(part)


def cotangent_of(node: Node, rng: np.random.Generator) -> Any:
    def one(shape: Any, kind: Any) -> Any:
        return bare(random_like(np.empty(shape, kind.array_dtype), rng))

    if node.outputs is None:
        return one(node.shape, node.tensor_type)
    return [one(s, k) for s, k in zip(node.shape, node.tensor_type, strict=True)]


@contextlib.contextmanager
def rules_called() -> Iterator[set[tuple[str, str]]]:
    """Collects which rules run: (op, parameter)."""
    called: set[tuple[str, str]] = set()
    before = []
    for declared in OPS.values():
        for name in declared.rules:
            key = f"rule_{name}"
            if declared.namespace.get(key) is None:
                continue
            rule = declared.namespace[key]

            def counted(*args: Any, _rule: Any = rule, _what: Any = (declared.name, name)) -> Any:
                called.add(_what)
                return _rule(*args)

            before.append((declared.namespace, key, rule))
            declared.namespace[key] = counted
    try:
        yield called
    finally:
        for namespace, key, rule in before:
            namespace[key] = rule


@each_differentiable
def test_rules_leave_saved_tensors_alone(row: Row) -> None:
    rng = np.random.default_rng(3)
    for number, sample in enumerate(row.samples()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call = Call(devgrad, row, sample, grad=True)
            before = [numpy_of(x) for x in call.tensors]
            try:
                call.run()
            except Exception:
                continue  # test_values_… looks at errors
        outputs = [numpy_of(y) for y in call.outputs]
        for node in nodes_of(call.outputs):
            if not hasattr(node, "op") and not node.edges:
                continue
            g = cotangent_of(node, rng)
            kept = [host(a) for a in saved_arrays([g])]
            for grad in saved_arrays(list(node.vjp(g, node.edges))):
                for saved in saved_arrays(node.saved):
                    assert not share_memory(grad, saved), (
                        f"sample {number}: {node.name()} gives out memory of a saved tensor"
                    )
            for a, b in zip(saved_arrays([g]), kept, strict=True):
                np.testing.assert_array_equal(
                    host(a), b, err_msg=f"{node.name()} changed its gradient"
                )
        call.gradients()
        for x, was in zip(call.tensors, before, strict=True):
            np.testing.assert_array_equal(numpy_of(x), was, err_msg=f"sample {number}: input")
        for y, was in zip(call.outputs, outputs, strict=True):
            np.testing.assert_array_equal(numpy_of(y), was, err_msg=f"sample {number}: output")


@pytest.mark.host_only("which rules are called")
@each_differentiable
def test_no_rule_runs_for_an_input_that_does_not_require_grad(row: Row) -> None:
    compared = 0
    for sample in row.samples():
        floats = [a for a in arrays_in((sample.args, sample.kwargs)) if a.dtype.kind in "fc"]
        if len(floats) < 2 or sum(a.size for a in floats) > 1000:
            continue
        for only in range(min(len(floats), 4)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                call = Call(devgrad, row, sample, grad=True, only=only)
                try:
                    call.run()
                except Exception:
                    continue
            allowed: set[tuple[str, str]] = set()
            for node in nodes_of(call.outputs):
                declared = getattr(node, "op", None)
                if declared is None:
                    continue
                if declared.variadic:
                    allowed.add((declared.name, declared.variadic))
                    continue
                for name, edge in zip(declared.edge_names, node.edges, strict=True):
                    if edge is not None:
                        allowed.add((declared.name, name))
            with rules_called() as called:
                call.gradients()
            assert called <= allowed, f"computed for nothing: {sorted(called - allowed)}"
            compared += 1
    if not compared:
        pytest.skip("a single input")


# --- what is no function of a table: brackets, copies, fills --------------------------------------


def changed(action: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """The function of x and v that an action in place on x makes."""

    def function(lib: Any, x: Any, v: Any) -> Any:
        y = x.clone()
        action(y, v)
        return y

    return function


def assigned(index: Callable[[Any], Any], value: Callable[[Any], Any]) -> Callable[..., Any]:
    def action(y: Any, v: Any) -> None:
        y[index(y)] = value(v)

    return changed(action)


# Functions of x, of shape [3, 4], and v, of shape [4].
BRACKETS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "x[1]": lambda lib, x, v: x[1] * x[-1],
    "x[1:]": lambda lib, x, v: x[1:] * x[:-1],
    "x[::2, 1]": lambda lib, x, v: x[::2, 1] * 3,
    "x[None]": lambda lib, x, v: x[None] * x[:, None],
    "x[...]": lambda lib, x, v: x[...] * x[..., 0:1],
    "x[[0, 2, 0]]": lambda lib, x, v: x[[0, 2, 0]] * v,
    "x[:, index]": lambda lib, x, v: x[:, lib.tensor([1, 1, 3])] * 2,
    "x[i, j]": lambda lib, x, v: x[lib.tensor([0, 0]), lib.tensor([1, 1])] * 2,
    "x[x > 0]": lambda lib, x, v: x[x.detach() > 0] ** 2,
    "as_strided": lambda lib, x, v: x.as_strided((2, 3), (1, 2), 1) * 2,
    "index_fill": lambda lib, x, v: x.index_fill(0, lib.tensor([0, 2]), v[0]) * x,
    "fill_(number)": changed(lambda y, v: y.fill_(2.0).mul_(v)),
    "fill_(tensor)": changed(lambda y, v: y.fill_(v[0]).mul_(v)),
    "zero_": changed(lambda y, v: y[0].zero_()),
    "copy_": changed(lambda y, v: y.copy_(v * v)),
    "copy_ into a view": changed(lambda y, v: y[1].copy_(v * v)),
    "change of a view": changed(lambda y, v: y.transpose(0, 1)[1].mul_(v[:3])),
    "change of a view of a view": changed(lambda y, v: y[1:][0].unsqueeze(0).mul_(v)),
    "change of the base": lambda lib, x, v: _base_changed(x, v),
    "x[0] = tensor": assigned(lambda y: 0, lambda v: v * v),
    "x[:, 1:3] = number": assigned(lambda y: (slice(None), slice(1, 3)), lambda v: 2.0),
    "x[[0, 2]] = tensor": assigned(lambda y: [0, 2], lambda v: v * v),
    "x[x > 0] = tensor": assigned(lambda y: y.detach() > 0, lambda v: v[0] * v[1]),
    "x[x > 0] = number": assigned(lambda y: y.detach() > 0, lambda v: 3.0),
}


def _base_changed(x: Any, v: Any) -> Any:
    y = x.clone()
    view = y[1:]
    y.mul_(v)
    return view * view


def bracketed(lib: Any, function: Callable[[Any, Any, Any], Any]) -> tuple[list[Any], list[Any]]:
    """The result with first and second derivatives; and all that carries nodes."""
    rng = np.random.default_rng(4)
    x = placed(lib, rng.normal(size=(3, 4))).requires_grad_()
    v = placed(lib, rng.normal(size=4)).requires_grad_()
    y = function(lib, x, v)
    g = placed(lib, rng.normal(size=tuple(y.shape))).requires_grad_()
    first = lib.autograd.grad(y, [x, v], g, create_graph=True, materialize_grads=True)
    found = [y, *first]
    recorded = [a for a in first if a.requires_grad]
    if recorded:
        weights = [lib.ones_like(a.detach()) * 0.7 for a in recorded]
        found += lib.autograd.grad(recorded, [x, v, g], weights, materialize_grads=True)
    return [numpy_of(a) for a in found], [y, *first]


@needs_torch
@pytest.mark.parametrize("name", BRACKETS)
def test_brackets_copies_and_fills(name: str) -> None:
    ours, theirs = (bracketed(lib, BRACKETS[name])[0] for lib in (devgrad, torch))
    for mine, wanted in itertools.zip_longest(ours, theirs, fillvalue=np.zeros(())):
        np.testing.assert_allclose(mine, wanted, rtol=1e-9, atol=1e-9)


# --- (g) nothing is left out ----------------------------------------------------------------------

# Declared operations with rules that no row can reach, each with the reason.
UNREACHABLE: dict[str, str] = {
    "step_to": "heaviside: its rules raise, as there is no derivative in PyTorch either",
    "_unique2": "unique: its rule raises, as there is no derivative in PyTorch either",
    "unique_dim": "the same",
    "unique_consecutive": "the same",
    "linalg_cholesky_ex": "read one triangle, and give a Hermitian gradient: see test_linalg.py",
    "linalg_eigh": "the same",
    "linalg_eig": "vectors are determined up to a phase: see test_linalg.py",
    "geqrf": "its rule raises, as there is no derivative in PyTorch either",
    "linalg_ldl_factor_ex": "the same",
    "linalg_ldl_solve": "the same",
    "batch_norm_by": "its statistics have no gradient: see test_nn_functional.py",
    "rows_shared": "padding gets a gradient that is no derivative: see test_nn_functional.py",
    "_fractional_max_pool2d": "its random samples have no gradient: see test_nn_windows.py",
    "_fractional_max_pool3d": "the same",
    "_max_unpool2d": "PyTorch's derivative takes contiguous tensors alone: see test_nn_windows.py",
    "_max_unpool3d": "the same",
    "_ctc_loss": "a gradient that is right behind a log_softmax alone: see test_nn_windows.py",
    "_ctc_loss_backward": "the same",
    "igamma": "only its second operand has a derivative: see test_partly_differentiable.py",
    "igammac": "the same",
    "nextafter": "its rules raise, as there is no derivative in PyTorch either",
    "zeta": "only its second operand has a derivative: see test_partly_differentiable.py",
    "max_pool2d_with_indices_backward": "the pool's own derivative is a scatter: see opinfo.py",
    "rnn_layer": "only layers call it: see test_nn_recurrent.py",
    "lstm_layer": "the same",
    "gru_layer": "the same",
}


@pytest.mark.host_only("what is declared")
def test_every_operation_with_a_derivative_has_a_row() -> None:
    reached: set[str] = set()

    def note(outputs: Sequence[Any]) -> None:
        for node in nodes_of(outputs):
            declared = getattr(node, "op", None)
            if declared is not None:
                reached.add(declared.name)

    for param in DIFFERENTIABLE:
        row: Row = param.values[0]
        for sample in row.samples():
            if sum(a.size for a in arrays_in((sample.args, sample.kwargs))) > 1000:
                continue
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                call = Call(devgrad, row, sample, grad=True)
                note(call.run())
                cotangents = [v.requires_grad_() for v in call.cotangents()]
                gradients = call.gradients(create_graph=True, cotangents=cotangents)
                note([g for g in gradients if g is not None])
                recorded = [g for g in gradients if g is not None and g.requires_grad]
                weights = [devgrad.ones_like(g.detach()).requires_grad_() for g in recorded]
                deeper = devgrad.autograd.grad(
                    recorded, [*call.leaves, *cotangents], weights, create_graph=True,
                    allow_unused=True,
                )  # fmt: skip
                note([g for g in deeper if g is not None])
    for function in BRACKETS.values():
        note(bracketed(devgrad, function)[1])
    with_rules = {o.name for o in OPS.values() if any(r for r, _ in o.rules.values())}
    assert with_rules - reached - set(UNREACHABLE) == set()
    assert set(UNREACHABLE) <= with_rules - reached, "no longer unreachable"


def test_every_operation_can_be_written() -> None:
    from devgrad.ops._compile import build

    for op in OPS.values():
        for face in ("function", "operator", "inplace"):
            if getattr(op, face) is not None:
                build(op, face)
