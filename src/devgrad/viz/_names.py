"""What the user calls their tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FrameType, ModuleType
from typing import Any

from .._tensor import Tensor
from ..autograd._graph import Edge

__all__ = ["Names"]


class Names:
    """Names for tensors: those that are given, then the variables of the caller.

    Args:
        given: a dict of tensors by name, ``(name, tensor)`` pairs, or a module.
        frame: whose variables are looked through, also in lists, dicts and objects' attributes.
    """

    def __init__(self, given: Any = None, frame: FrameType | None = None) -> None:
        self._frame = frame
        self._by_edge: dict[tuple[int, int], str] = {}
        self._by_array: dict[int, str] = {}
        self._tensors: dict[tuple[int, int], Tensor] = {}
        self.modules: dict[str, str] = {}  # what stands before a parameter's name -> its class
        self._enter_modules("", given)
        for name, tensor in _pairs(given):
            self._enter(name, tensor)
        if frame is not None:
            for scope in (frame.f_locals, frame.f_globals):
                for name, value in list(scope.items()):
                    if not name.startswith("_"):
                        self._enter_modules(name, value)
                        for path, tensor in _tensors(name, value, 2):
                            self._enter(path, tensor)

    def _enter(self, name: str, tensor: Tensor) -> None:
        edge = tensor._own_edge()
        if edge is None:
            self._by_array.setdefault(id(tensor._array), name)
            return
        key = edge.rank, edge.index
        self._by_edge.setdefault(key, name)
        self._tensors.setdefault(key, tensor)

    def _enter_modules(self, name: str, value: Any) -> None:
        if hasattr(value, "named_modules") and not isinstance(value, type):
            outer = "" if name == "self" else name
            for path, module in value.named_modules():
                self.modules.setdefault(f"{outer}.{path}".strip("."), type(module).__name__)

    def of_edge(self, edge: Edge) -> str:
        """The name of the tensor whose gradient goes there; "" if it has none."""
        return self._by_edge.get((edge.rank, edge.index), "")

    def tensor_of(self, edge: Edge) -> Tensor | None:
        """The tensor of that name."""
        return self._tensors.get((edge.rank, edge.index))

    def of_array(self, array: Any) -> str:
        """The name of a tensor that requires no grad, by its array."""
        return self._by_array.get(id(array), "")

    def look_up(self, path: str, code: CodeType) -> Any:
        """What ``w`` or ``self.w`` in this code is, if the caller can know: None otherwise."""
        frame = self._frame
        if frame is None:
            return None
        first, *rest = path.split(".")
        value = None
        if code is frame.f_code:
            value = frame.f_locals.get(first)
        if (
            value is None
            and first in code.co_names
            and code.co_filename == frame.f_code.co_filename
        ):
            value = frame.f_globals.get(first)
        for attribute in rest:
            value = getattr(value, "__dict__", {}).get(attribute)
        return value


def _pairs(given: Any) -> Iterable[tuple[str, Tensor]]:
    if given is None:
        return ()
    if hasattr(given, "named_parameters"):
        return given.named_parameters()
    pairs: list[Any] = list(given.items() if isinstance(given, Mapping) else given)
    for pair in pairs:
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], Tensor)):
            raise TypeError(
                "params must be a dict of tensors by name, pairs of a name and a tensor, or a "
                f"module; it holds {pair!r:.60}"
            )
    return pairs


def _tensors(path: str, value: Any, depth: int) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield path, value
    elif depth == 0 or isinstance(value, (type, ModuleType)):
        return
    elif isinstance(value, dict):
        for key, inner in list(value.items())[:1000]:
            if isinstance(key, str):
                yield from _tensors(f"{path}[{key!r}]", inner, depth - 1)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value[:1000]):
            yield from _tensors(f"{path}[{index}]", inner, depth - 1)
    elif hasattr(value, "named_parameters"):
        for name, inner in value.named_parameters():
            yield (name if path == "self" else f"{path}.{name}"), inner
    elif hasattr(value, "__dict__"):
        for name, inner in list(vars(value).items())[:1000]:
            yield from _tensors(f"{path}.{name}", inner, depth - 1)
