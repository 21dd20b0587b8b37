"""Containers taken apart into named tensors and a text in JSON, and put together again.

In the text JSON's own scalars and lists stand for themselves; everything else is an object with
the name of its kind: ``{"tensor": "model.0.weight"}``, ``{"dict": [[key, value], …]}``.
"""

from __future__ import annotations

import base64
import json
import math
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from .._tensor import Size, Tensor
from ..device import DTYPES, Device, DType
from ..ops.pieces import view_as_complex, view_as_real

__all__ = ["put_together", "taken_apart"]

_KEY = "devgrad"  # of the text, among the file's metadata
_PLAIN = {"format": "pt"}  # what other libraries look for
_LISTS: dict[str, Callable[[Iterable[Any]], Any]] = {
    "tuple": tuple, "Size": Size, "set": set, "frozenset": frozenset
}  # fmt: skip
_DICTS: dict[str, Callable[..., Any]] = {
    "dict": dict, "OrderedDict": OrderedDict, "Counter": Counter
}  # fmt: skip


def taken_apart(obj: Any) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors in ``obj`` by name, and the metadata that tells how they belong together.

    Raises:
        TypeError: there is something in it that cannot be written.
    """
    if isinstance(obj, dict) and all(map(_is_plain, obj.items())):
        return dict(obj), _PLAIN
    apart = _Apart()
    text = json.dumps(apart.encoded(obj, ()), allow_nan=False, separators=(",", ":"))
    return apart.tensors, {**_PLAIN, _KEY: text}


def _is_plain(item: tuple[Any, Any]) -> bool:
    """Whether a name and a tensor need no more than that said about them."""
    name, value = item
    return (
        type(name) is str
        and name != "__metadata__"
        and type(value) is Tensor
        and not value.requires_grad
        and value.device.type == "cpu"
        and value.dtype is not DTYPES["complex128"]
    )


class _Apart:
    """Takes a value apart. ``tensors`` are those met so far."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.within: set[int] = set()  # the containers that are being taken apart

    def encoded(self, value: Any, path: tuple[str, ...]) -> Any:
        """The value in JSON's terms; ``path`` leads to it."""
        if isinstance(value, Tensor):
            return self.tensor(value, path)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"float": str(float(value))}
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, complex):
            return {"complex": [self.encoded(part, path) for part in (value.real, value.imag)]}
        if isinstance(value, (bytes, bytearray)):
            return {type(value).__name__: base64.b64encode(value).decode()}
        if isinstance(value, DType):
            return {"dtype": value.name}
        if isinstance(value, Device):
            return {"device": str(value)}
        if id(value) in self.within:
            raise TypeError(f"cannot save {_named(path)}: it contains itself")
        self.within.add(id(value))
        result = self.container(value, path)
        self.within.remove(id(value))
        return result

    def container(self, value: Any, path: tuple[str, ...]) -> Any:
        """A list, dict or their like."""
        kind = type(value).__name__
        if type(value) is list or type(value) is _LISTS.get(kind):
            items = [self.encoded(item, (*path, str(i))) for i, item in enumerate(value)]
            return items if kind == "list" else {kind: items}
        if isinstance(value, OrderedDict):  # a state dict is one, with the modules' versions
            kind = "OrderedDict"
        elif type(value) is defaultdict:  # its factory may be anything; once saved, it is a dict
            kind = "dict"
        if kind not in _DICTS or not isinstance(value, dict):
            raise TypeError(
                f"cannot save {_named(path)}: it is a {type(value).__qualname__}, and only "
                "tensors, numbers, strings, None, dtypes and devices can be saved, in lists, "
                "tuples, sets and dicts. Of modules, optimizers and schedulers save the "
                "state_dict(), of generators the get_state()"
            )
        pairs = [
            [self.encoded(key, (*path, "key")), self.encoded(item, (*path, str(key)))]
            for key, item in value.items()
        ]
        versions = getattr(value, "_metadata", None)
        if not isinstance(versions, dict):
            return {kind: pairs}
        return {kind: pairs, "metadata": self.encoded(versions, (*path, "_metadata"))}

    def tensor(self, value: Tensor, path: tuple[str, ...]) -> Any:
        """A tensor, by a name that tells where it belongs, and what the file does not say of it."""
        stem = name = ".".join(path) or "tensor"
        while name in self.tensors or name == "__metadata__":
            name = f"{stem}#{len(self.tensors)}"  # as for the paths ("a.b",) and ("a", "b")
        told: dict[str, Any] = {"tensor": name}
        if value.device.type != "cpu":
            told["device"] = str(value.device)
        if value.requires_grad:
            told["requires_grad"] = True
        if type(value) is not Tensor:
            told["class"] = _class_name(value, path)
        value = value.detach()
        if value.dtype is DTYPES["complex128"]:  # which the format does not have
            told["complex"] = True
            value = view_as_real.function(value)
        self.tensors[name] = value
        return told


def _named(path: tuple[str, ...]) -> str:
    return f"the value at {'.'.join(path)!r}" if path else "this object"


def _classes() -> dict[str, Any]:
    from ..nn.parameter import Buffer, Parameter

    return {"Parameter": Parameter, "Buffer": Buffer}


def _class_name(value: Tensor, path: tuple[str, ...]) -> str:
    for name, cls in _classes().items():
        if type(value) is cls:
            return name
    raise TypeError(
        f"cannot save {_named(path)}: it is a {type(value).__qualname__}, a class that the file "
        "cannot name; save value.detach()"
    )


def put_together(
    tensors: dict[str, Tensor], metadata: dict[str, str], place: Callable[[Tensor, str], Tensor]
) -> Any:
    """The value that was taken apart; of a file without its structure, the dict of tensors.

    Raises:
        RuntimeError: the structure does not fit the tensors, or is none.
    """
    if _KEY not in metadata:
        return {name: place(tensor, "cpu") for name, tensor in tensors.items()}
    try:
        return _Together(tensors, place).decoded(json.loads(metadata[_KEY]))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise RuntimeError(
            "Error while deserializing header: the structure under 'devgrad' in the file's "
            f"metadata is damaged, or of a newer version of devgrad: {error!r}"
        ) from None


class _Together:
    """Puts a value together from tensors."""

    def __init__(self, tensors: dict[str, Tensor], place: Callable[[Tensor, str], Tensor]) -> None:
        self.tensors = tensors
        self.place = place

    def decoded(self, told: Any) -> Any:
        """The value that JSON tells of."""
        if isinstance(told, list):
            return [self.decoded(item) for item in told]
        if not isinstance(told, dict):
            return told
        if not told:
            raise ValueError("an object without a kind")
        kind, content = next(iter(told.items()))
        if kind == "tensor":
            return self.tensor(**told)
        if kind in _LISTS:
            return _LISTS[kind]([self.decoded(item) for item in content])
        if kind in _DICTS:
            made = _DICTS[kind]()
            for key, value in content:
                made[self.decoded(key)] = self.decoded(value)
            if "metadata" in told:
                made._metadata = self.decoded(told["metadata"])
            return made
        return _SCALARS[kind](content)

    def tensor(self, tensor: str, **told: Any) -> Tensor:
        """A tensor of the file, with what else is told of it."""
        value = self.tensors[tensor]
        if told.get("complex"):
            value = view_as_complex(value)
        value = self.place(value.detach(), told.get("device", "cpu"))
        if "class" in told:
            made: Tensor = _classes()[told["class"]](value)
            value = made
        if value.requires_grad != told.get("requires_grad", False):
            value.requires_grad_(told.get("requires_grad", False))
        return value


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "complex": lambda parts: complex(*[float(p["float"] if isinstance(p, dict) else p)
                                       for p in parts]),
    "bytes": base64.b64decode,
    "bytearray": lambda text: bytearray(base64.b64decode(text)),
    "dtype": DTYPES.__getitem__,
    "device": Device,
}  # fmt: skip
