"""CuPy's ufuncs: which loop serves which dtypes is CuPy's; NumPy computes it.

A loop is found as CuPy finds it, which is not as NumPy does: the first in the ufunc's list to which
every operand can be cast safely. A Python number is weak unless it is of a higher kind than all
arrays. The result is an array in C order, of the loop's dtype.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy

from ._array import check_dtype, launched, ndarray, new
from ._table import TABLE

_COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")


def _where(mask: Any, x: Any, y: Any) -> Any:
    return numpy.where(mask, x, y)


def _clip(x: Any, low: Any, high: Any) -> Any:
    return numpy.minimum(numpy.maximum(x, low), high)


def _rounded(x: Any, decimals: Any) -> Any:
    return numpy.round(x, int(decimals))


def _sinc(x: Any) -> Any:
    return numpy.sinc(x)


def _fix(x: Any) -> Any:
    return numpy.trunc(x)


# What is no ufunc of NumPy by the same name.
_OTHERS: dict[str, Any] = {
    "_where": _where, "_clip": _clip, "_round": _rounded, "_conjugate": numpy.conjugate,
    "sinc": _sinc, "fix": _fix, "i0": numpy.i0,
}  # fmt: skip


def _special(name: str) -> Any:
    # SciPy computes them where it is installed; the two that the core uses, without it.
    found = {
        "erf": numpy.vectorize(math.erf, otypes=[float]),
        "erfc": numpy.vectorize(math.erfc, otypes=[float]),
        "gammaln": numpy.vectorize(_gammaln, otypes=[float]),
    }
    try:
        import scipy.special
    except ImportError:
        if name in found:
            return found[name]
        raise NotImplementedError(f"the stand-in needs SciPy for {name}") from None
    return getattr(scipy.special, name)


def _gammaln(x: float) -> float:
    return math.inf if x in (0.0, math.inf, -math.inf) or x < 0 and x == int(x) else math.lgamma(x)


class ufunc:
    """`cupy.ufunc`."""

    __module__ = "cupy"

    def __init__(self, key: str) -> None:
        entry = TABLE["ufuncs"][key]
        self.key = key
        self.name = self.__name__ = entry["name"]
        self.nin, self.nout = entry["nin"], entry["nout"]
        self.nargs = self.nin + self.nout
        self.types = [t for t in entry["types"] if "E" not in t and "V" not in t]
        self.refused = entry.get("refused", [])
        self.out_types = entry.get("out_types") or self.types
        self.scatter = entry.get("scatter")
        self._loops: dict[Any, str] = {}

    def __repr__(self) -> str:
        return f"<ufunc '{self.name}'>"

    @functools.cached_property
    def compute(self) -> Any:
        prefix, _, name = self.key.rpartition(".")
        if prefix == "cupyx.scipy.special":
            return _special(name)
        return _OTHERS.get(self.key) or getattr(numpy, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        out = kwargs.pop("out", None)
        dtype = kwargs.pop("dtype", None)
        casting = kwargs.pop("casting", "same_kind")
        if kwargs:
            raise TypeError(f"Wrong arguments {kwargs}")
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(
                f"Wrong number of arguments for {self.name!r}. It must be either {self.nin} or "
                f"{self.nargs} (with outputs), but given {len(args)}."
            )
        inputs, outputs = args[: self.nin], args[self.nin :]
        if out is not None:
            if outputs:
                raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
            outputs = out if isinstance(out, tuple) else (out,)
            if len(outputs) != self.nout:
                raise ValueError("The 'out' tuple must have exactly one entry per ufunc output")
        for x in inputs:
            if not isinstance(x, (ndarray, numpy.generic)) and type(x) not in _PYTHON:
                raise TypeError(f"Unsupported type {type(x)}")
        for x in outputs:
            if not isinstance(x, ndarray):
                raise TypeError("Output arguments type must be cupy.ndarray")
        launched(*inputs, *outputs)
        loop = self._loop(inputs, dtype)
        types_in, _, types_out = loop.partition("->")
        arrays = [
            x._array.astype(t, copy=False) if isinstance(x, ndarray) else numpy.array(x, dtype=t)
            for x, t in zip(inputs, types_in)
        ]
        with numpy.errstate(all="ignore"):
            found = self.compute(*arrays)
        results = found if self.nout > 1 else (found,)
        made = [
            self._put(numpy.asarray(r).astype(t, copy=False), target, casting)
            for r, t, target in zip(results, types_out, outputs or (None,) * self.nout)
        ]
        return made[0] if self.nout == 1 else tuple(made)

    def _put(self, result: Any, target: ndarray | None, casting: str) -> ndarray:
        if target is None:
            return new(result)
        if numpy.broadcast_shapes(result.shape, target.shape) != target.shape:
            raise ValueError("Out shape is mismatched")
        if not numpy.can_cast(result.dtype, target.dtype, casting):
            raise TypeError(
                f"Cannot cast output operand from {result.dtype!r} to {target.dtype!r} according "
                f"to the rule '{casting}'"
            )
        target._array[...] = result
        return target

    def _loop(self, inputs: tuple[Any, ...], dtype: Any) -> str:
        if dtype is not None:
            wanted = check_dtype(dtype)
            for loop in self.out_types:
                if all(numpy.dtype(t) == wanted for t in loop.partition("->")[2]):
                    return self._allowed(loop)
            raise TypeError(f"Wrong type ({wanted}) of arguments for {self.name}")
        types, weaks = zip(*map(_kind_of, inputs))
        found = self._loops.get((types, weaks))
        if found is None:
            found = self._loops[types, weaks] = self._guess(types, weaks)
        return self._allowed(found)

    def _allowed(self, loop: str) -> str:
        if loop in self.refused:
            raise TypeError(f"{self.name}: boolean operands are refused by CuPy")
        return loop

    def _guess(self, types: tuple[Any, ...], weaks: tuple[Any, ...]) -> str:
        if not _weak_scalars_count(types, weaks):
            weaks = (False,) * len(types)
        elif self.key in _COMPARISONS:
            for i, j in ((0, 1), (1, 0)):
                if weaks[i] is int and weaks[j] is False and types[j].kind in "iu":
                    weaks = tuple(False if k == i else w for k, w in enumerate(weaks))
                    break
        for loop in self.types:
            wanted = map(numpy.dtype, loop.partition("->")[0])
            if all(map(_fits, types, wanted, weaks)):
                return loop
        raise TypeError(f"Wrong type ({types}) of arguments for {self.name}")

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        if self.scatter is None:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        from ._indexing import scatter

        scatter(a, indices, b, self.scatter)

    def reduce(
        self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> Any:
        if self.name == "cupy_add":
            return array.sum(axis, dtype, out, keepdims)
        if self.name == "cupy_multiply":
            return array.prod(axis, dtype, out, keepdims)
        raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")

    def accumulate(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
        if self.name == "cupy_add":
            return array.cumsum(axis, dtype, out)
        if self.name == "cupy_multiply":
            return array.cumprod(axis, dtype, out)
        raise NotImplementedError(f"`{self.name}.accumulate` is not supported yet")

    def reduceat(
        self, array: Any, indices: Any, axis: Any = 0, dtype: Any = None, out: Any = None
    ) -> Any:
        raise NotImplementedError(f"`{self.name}.reduceat` is not supported yet")

    def outer(self, A: Any, B: Any, **kwargs: Any) -> Any:
        A = A.reshape(A.shape + (1,) * B.ndim)
        return self(A, B.reshape((1,) * (A.ndim - B.ndim) + B.shape), **kwargs)


_PYTHON = (bool, int, float, complex)


def _kind_of(x: Any) -> tuple[Any, Any]:
    """The dtype of an operand; and its Python type, if that makes it weak."""
    if isinstance(x, (ndarray, numpy.generic)):
        return x.dtype, False
    if type(x) is bool:
        return numpy.dtype(bool), False
    if type(x) is int:
        return numpy.dtype("uint64" if x >= 1 << 63 else "int64"), int
    return numpy.dtype(type(x)), type(x)


def _score(kind: str) -> int:
    return {"b": 0, "i": 1, "u": 1, "f": 2, "c": 2}[kind]


def _weak_scalars_count(types: Any, weaks: Any) -> bool:
    scalars = [_score(t.kind) for t, w in zip(types, weaks) if w]
    arrays = [_score(t.kind) for t, w in zip(types, weaks) if not w]
    return bool(scalars and arrays and max(arrays) >= max(scalars))


def _fits(given: Any, wanted: Any, weak: Any) -> bool:
    if numpy.can_cast(given, wanted):
        return True
    if not weak:
        return False
    try:
        return bool(numpy.result_type(weak(0), wanted) == wanted)
    except TypeError:
        return False


UFUNCS: dict[str, ufunc] = {}
for _key in TABLE["ufuncs"]:
    UFUNCS[_key] = ufunc(_key)
for _key, _entry in TABLE["ufuncs"].items():  # aliases are one object, as in CuPy
    for _other in TABLE["ufuncs"]:
        if _other < _key and TABLE["ufuncs"][_other] == _entry:
            UFUNCS[_key] = UFUNCS[_other]
            break


# --- the operators of the array ----------------------------------------------------------------


def _give_way(x: Any, y: Any) -> bool:
    missing = object()
    theirs = getattr(y, "__array_ufunc__", missing)
    if theirs is not missing:
        return theirs is None
    return getattr(x, "__array_priority__", 0) < getattr(y, "__array_priority__", 0)


def _binary(name: str, key: str) -> None:
    function = UFUNCS[key]

    def forward(self: Any, other: Any) -> Any:
        if not isinstance(other, ndarray) and _give_way(self, other):
            return NotImplemented
        if isinstance(other, (list, tuple, type(None), str)):
            return NotImplemented
        return function(self, other)

    def backward(self: Any, other: Any) -> Any:
        if isinstance(other, (list, tuple, type(None), str)):
            return NotImplemented
        return function(other, self)

    def in_place(self: Any, other: Any) -> Any:
        return function(self, other, self)

    for prefix, method in (("", forward), ("r", backward), ("i", in_place)):
        setattr(ndarray, f"__{prefix}{name}__", method)


for _name, _key in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide",
    "floordiv": "floor_divide", "mod": "remainder", "lshift": "left_shift",
    "rshift": "right_shift", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
}.items():  # fmt: skip
    _binary(_name, _key)
_binary("pow", "power")
_power = ndarray.__pow__  # type: ignore[attr-defined]


def _pow(self: Any, other: Any, modulo: Any = None) -> Any:
    # Some exponents have functions of their own.
    quick = None
    if type(other) in (int, float) and other == 2:
        quick = UFUNCS["square"]
    elif type(other) is float and other in (0.5, -1.0):
        quick = UFUNCS["sqrt" if other == 0.5 else "reciprocal"]
    if quick is None:
        return _power(self, other)
    plain = "ifc" if type(other) is int else "fc"
    result = None if self.dtype.kind in plain else numpy.result_type(self.dtype, other)
    return quick(self, dtype=result)


ndarray.__pow__ = _pow  # type: ignore[attr-defined]


def _comparison(name: str, key: str) -> None:
    function = UFUNCS[key]

    def compare(self: Any, other: Any) -> Any:
        if not isinstance(other, ndarray) and _give_way(self, other):
            return NotImplemented
        if other is None and name in ("eq", "ne"):
            return new(numpy.full(self.shape, name == "ne"))
        return function(self, other)

    setattr(ndarray, f"__{name}__", compare)


for _name, _key in {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater",
    "ge": "greater_equal",
}.items():  # fmt: skip
    _comparison(_name, _key)
ndarray.__hash__ = None  # type: ignore[assignment]


def _unary(name: str, key: str) -> None:
    function = UFUNCS[key]
    setattr(ndarray, f"__{name}__", lambda self: function(self))


for _name, _key in {
    "neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert",
}.items():  # fmt: skip
    _unary(_name, _key)


def _divmod(self: Any, other: Any) -> Any:
    return UFUNCS["divmod"](self, other)


def _rdivmod(self: Any, other: Any) -> Any:
    return UFUNCS["divmod"](other, self)


ndarray.__divmod__ = _divmod  # type: ignore[attr-defined]
ndarray.__rdivmod__ = _rdivmod  # type: ignore[attr-defined]
