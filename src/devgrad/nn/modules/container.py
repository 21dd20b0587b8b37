"""Containers: modules and parameters in a row, in a list, in a dict."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeVar

from ..._tensor import Tensor
from ..._types import typename
from ..parameter import Parameter
from .module import Module, indented

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]

S = TypeVar("S", bound="_Numbered")


class _Numbered(Module):
    """Modules named "0", "1", ….  What `Sequential` and `ModuleList` have in common."""

    def _key(self, index: Any) -> str:
        """The name of the module at this place."""
        place, size = operator.index(index), len(self._modules)
        if not -size <= place < size:
            raise IndexError(f"index {place} is out of range")
        return list(self._modules)[place]

    def __getitem__(self: S, index: Any) -> Any:
        if isinstance(index, slice):
            return self._sliced(index)
        return self._modules[self._key(index)]

    def _sliced(self: S, index: slice) -> S:
        return type(self)(list(self._modules.values())[index])

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._key(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)[index] if isinstance(index, slice) else [self._key(index)]
        for name in names:
            delattr(self, name)
        self._renumber(self._modules.values())

    def _renumber(self, modules: Iterable[Module]) -> None:
        self.__dict__["_modules"] = {str(i): module for i, module in enumerate(modules)}

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __contains__(self, module: object) -> bool:
        return any(module is own for own in self._modules.values())

    def append(self: S, module: Module) -> S:
        """Put a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self: S, modules: Iterable[Module]) -> S:
        """Put modules at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, key: int | slice) -> Any:
        """Take a module out, and return it."""
        taken = self[key]
        del self[key]
        return taken


class Sequential(_Numbered):
    """Modules one after another: each is given what the one before returned.

    Args:
        args: the modules; or one `OrderedDict` of them, for names.

    >>> import devgrad
    >>> nn = devgrad.nn
    >>> nn.Sequential(nn.Linear(2, 3), nn.Flatten())
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): Flatten(start_dim=1, end_dim=-1)
    )
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for place, module in enumerate(args):
                self.add_module(str(place), module)

    def _sliced(self, index: slice) -> Sequential:
        return type(self)(dict(list(self._modules.items())[index]))

    def forward(self, input: Any) -> Any:
        """What the last module returns."""
        for module in self._modules.values():
            input = module(input)
        return input

    def insert(self, index: int, module: Module) -> Sequential:
        """Put a module before the one at ``index``.

        Raises:
            IndexError: there is no such place. AssertionError: it is no module.
        """
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        size = len(self)
        if not -size <= index <= size:
            raise IndexError(f"Index out of range: {index}")
        modules = list(self._modules.values())
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def __add__(self, other: Any) -> Sequential:
        return Sequential(*self, *_sequential(other))

    def __iadd__(self, other: Any) -> Sequential:
        return self.extend(_sequential(other))

    def __mul__(self, times: Any) -> Sequential:
        return Sequential(*list(self) * self._times(times))

    __rmul__ = __mul__

    def __imul__(self, times: Any) -> Sequential:
        return self.extend(list(self) * (self._times(times) - 1))

    def _times(self, times: Any) -> int:
        if not isinstance(times, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(times)}")
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")
        return times


def _sequential(other: Any) -> Sequential:
    if not isinstance(other, Sequential):
        raise ValueError(
            f"add operator supports only objects of Sequential class, but {type(other)} is given."
        )
    return other


class ModuleList(_Numbered):
    """Modules in a list, whose parameters are the module's that it belongs to.

    >>> import devgrad
    >>> nn = devgrad.nn
    >>> nn.ModuleList([nn.Identity(), nn.Identity(), nn.Flatten()])
    ModuleList(
      (0-1): 2 x Identity()
      (2): Flatten(start_dim=1, end_dim=-1)
    )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Put modules at the end.

        Raises:
            TypeError: ``modules`` cannot be iterated over.
        """
        if not isinstance(modules, Iterable):
            raise TypeError(
                "ModuleList.extend should be called with an iterable, but got "
                + type(modules).__name__
            )
        return super().extend(modules)

    def insert(self, index: int, module: Module) -> None:
        """Put a module before the one at ``index``."""
        modules = list(self._modules.values())
        modules.insert(index, module)
        self._renumber(modules)

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList(chain(self, other))

    def __repr__(self) -> str:
        # Neighbours that print alike are printed once.
        runs: list[tuple[int, int, str]] = []  # first, last, text
        for place, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1] = (runs[-1][0], place, text)
            else:
                runs.append((place, place, text))
        if not runs:
            return f"{self._get_name()}()"
        lines = [
            f"({first}): {text}" if first == last
            else f"({first}-{last}): {last - first + 1} x {text}"
            for first, last, text in runs
        ]  # fmt: skip
        return f"{self._get_name()}(" + "".join(f"\n  {indented(s)}" for s in lines) + "\n)"


class ModuleDict(Module):
    """Modules in a dict, whose parameters are the module's that it belongs to.

    >>> import devgrad
    >>> heads = devgrad.nn.ModuleDict({"small": devgrad.nn.Linear(2, 1)})
    >>> heads["small"](devgrad.ones(2)).shape
    torch.Size([1])
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()

    def pop(self, key: str) -> Any:
        """Take a module out, and return it."""
        return self._modules.pop(key)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """The names and the modules."""
        return self._modules.items()

    def values(self) -> Iterable[Any]:
        """The modules."""
        return self._modules.values()

    def update(self, modules: Any) -> None:
        """Put modules in: of a mapping, or of pairs of a name and a module.

        Raises:
            TypeError, ValueError: it is neither.
        """
        for key, module in _pairs("ModuleDict", "ModuleDict", modules):
            self[key] = module


def _pairs(name: str, called: str, given: Any) -> list[tuple[str, Any]]:
    """What a dict of modules or parameters is to be updated by."""
    if not isinstance(given, Iterable):
        raise TypeError(
            f"{called}.update should be called with an iterable of key/value pairs, but got "
            + type(given).__name__
        )
    if isinstance(given, (Mapping, ModuleDict, ParameterDict)):
        return list(given.items())
    pairs = list(given)
    for place, pair in enumerate(pairs):
        if not isinstance(pair, Iterable):
            raise TypeError(
                f"{name} update sequence element #{place} should be Iterable; is"
                + type(pair).__name__
            )
        if len(pair) != 2:  # type: ignore[arg-type]
            raise ValueError(
                f"{name} update sequence element #{place} has length {len(pair)}; 2 is required"  # type: ignore[arg-type]
            )
    return pairs


class _Parameters(Module):
    """What `ParameterList` and `ParameterDict` have in common."""

    def _named_values(self) -> Iterable[tuple[Any, Any]]:
        raise NotImplementedError

    def _type_text(self, tensor: Tensor) -> str:
        raise NotImplementedError

    def extra_repr(self) -> str:
        """A line for each value."""
        return "\n".join(f"  ({key}): {self._line(value)}" for key, value in self._named_values())

    def _line(self, value: Any) -> str:
        if not isinstance(value, Tensor):
            return f"Object of type: {type(value).__name__}"
        kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
        size = "x".join(map(str, value.shape))
        place = f" ({value.device})" if value.is_cuda else ""
        return f"{kind} containing: [{self._type_text(value)} of size {size}{place}]"


def _as_parameter(value: Any) -> Any:
    """A tensor as a parameter; anything else as it is."""
    plain = isinstance(value, Tensor) and not isinstance(value, Parameter)
    return Parameter(value) if plain else value


class ParameterList(_Parameters):
    """Parameters in a list. Tensors put in become parameters; other values may be kept beside.

    >>> import devgrad
    >>> devgrad.nn.ParameterList([devgrad.ones(2, 3)])
    ParameterList(  (0): Parameter containing: [torch.float32 of size 2x3])
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def _named_values(self) -> Iterable[tuple[int, Any]]:
        return enumerate(self)

    def _type_text(self, tensor: Tensor) -> str:
        return str(tensor.dtype)

    def _key(self, index: Any) -> str:
        place = operator.index(index)
        if not -self._size <= place < self._size:
            raise IndexError(f"index {place} is out of range")
        return str(place % self._size)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(self[i] for i in range(*index.indices(len(self))))
        return getattr(self, self._key(index))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, self._key(index), _as_parameter(value))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(self._size)])

    def append(self, value: Any) -> ParameterList:
        """Put a value at the end."""
        self._size += 1
        self[-1] = value
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Put values at the end.

        Raises:
            TypeError: ``values`` is no iterable, or a tensor.
        """
        if isinstance(values, Tensor) or not hasattr(values, "__iter__"):
            raise TypeError(
                "ParameterList.extend should be called with an iterable, but got "
                + type(values).__name__
            )
        for value in values:
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """It is a list, and computes nothing."""
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(_Parameters):
    """Parameters in a dict. Tensors put in become parameters; other values may be kept beside.

    >>> import devgrad
    >>> devgrad.nn.ParameterDict({"scale": devgrad.ones(2)})["scale"]
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def _named_values(self) -> Iterable[tuple[str, Any]]:
        return self.items()

    def _type_text(self, tensor: Tensor) -> str:
        return typename(tensor)

    def _attribute(self, key: Any) -> str:
        if not isinstance(key, str):
            raise TypeError(
                "Index given to ParameterDict cannot be used as a key as it is not a string (type "
                f"is '{type(key).__name__}'). Open an issue on github if you need non-string keys."
            )
        return key

    def __getitem__(self, key: str) -> Any:
        return getattr(self, self._attribute(key))

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, self._attribute(key), _as_parameter(value))
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, self._attribute(key))

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._keys.keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """The names and the parameters."""
        return ((key, self[key]) for key in self._keys)

    def values(self) -> Iterable[Any]:
        """The parameters."""
        return (self[key] for key in self._keys)

    def get(self, key: str, default: Any = None) -> Any:
        """The parameter of this name, or ``default``."""
        return self[key] if key in self else default  # noqa: SIM401 - it is this method

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The parameter of this name; ``default`` is put in if there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str) -> Any:
        """Take a parameter out, and return it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take the last name and parameter out, and return them."""
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def clear(self) -> None:
        """Take all out."""
        for key in list(self._keys):
            del self[key]

    def copy(self) -> ParameterDict:
        """A new dict with the same parameters."""
        return ParameterDict(list(self.items()))

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A new dict with these names and ``default`` for each."""
        return ParameterDict([(key, default) for key in keys])

    def update(self, parameters: Any) -> None:
        """Put parameters in: of a mapping, or of pairs of a name and a tensor.

        A plain dict's go in by the order of their names, as in PyTorch.

        Raises:
            TypeError, ValueError: it is neither.
        """
        pairs = _pairs("ParameterDict", "ParametersDict", parameters)
        if type(parameters) is dict:
            pairs.sort(key=operator.itemgetter(0))
        for key, value in pairs:
            self[key] = value

    def __or__(self, other: Any) -> ParameterDict:
        union = self.copy()
        union.update(other)
        return union

    def __ror__(self, other: Any) -> Any:
        union = other.copy()
        union.update(self)
        return union

    def __ior__(self, other: Any) -> ParameterDict:
        self.update(other)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """It is a dict, and computes nothing."""
        raise RuntimeError("ParameterDict should not be called.")
