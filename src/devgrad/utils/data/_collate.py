"""Samples to a batch: tensors stacked, numbers to tensors, within whatever holds them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

from ..._creation import as_tensor, tensor
from ..._tensor import Tensor
from ...device import CPU, DTYPES
from ...ops import FUNCTIONS

__all__ = ["default_collate", "default_convert"]


def _rebuilt(container: Any, convert: Callable[[Any], Any]) -> Any:
    """A mapping, named tuple or sequence of the same class, with converted values.

    ``convert`` is given the keys of a mapping, or the places in a sequence.
    """
    cls: Any = type(container)
    mapping = isinstance(container, Mapping)
    keys = list(container) if mapping else range(len(container))
    values = [convert(key) for key in keys]
    if isinstance(container, tuple):
        return cls(*values) if hasattr(container, "_fields") else values
    try:
        if isinstance(container, (MutableMapping, MutableSequence)):
            made = copy.copy(container)  # which may hold more than its items
            for key, value in zip(keys, values):
                made[key] = value
            return made
        return cls(dict(zip(keys, values))) if mapping else cls(values)
    except TypeError:  # its class is not to be made so
        return dict(zip(keys, values)) if mapping else values


def default_convert(data: Any) -> Any:
    """Arrays in ``data`` as tensors; all else as it is. What is done where there are no batches.

    >>> import devgrad as torch
    >>> torch.utils.data.default_convert({"a": "text", "b": 1})
    {'a': 'text', 'b': 1}
    """
    xp: Any = CPU.xp
    if isinstance(data, (xp.ndarray, xp.generic)):
        return data if data.dtype.kind in "SUO" else as_tensor(data)
    if isinstance(data, Mapping) or (
        isinstance(data, Sequence) and not isinstance(data, (str, bytes))
    ):
        return _rebuilt(data, lambda key: default_convert(data[key]))
    return data


def default_collate(batch: Any) -> Any:
    """A list of samples as one: tensors stacked along a new first dimension.

    Args:
        batch: samples: tensors of one shape, arrays, numbers, text, or dicts, tuples and lists of
            these, all built alike.

    Returns:
        What a sample is, with tensors for tensors, arrays and numbers, and lists for texts.

    Raises:
        TypeError: there is something else in the samples.
        RuntimeError: shapes or lengths differ.

    >>> import devgrad as torch
    >>> torch.utils.data.default_collate([(1, 2.0), (3, 4.0)])
    [tensor([1, 3]), tensor([2., 4.], dtype=torch.float64)]
    """
    first = batch[0]
    xp: Any = CPU.xp
    if isinstance(first, Tensor):
        return FUNCTIONS[""]["stack"](list(batch), 0)
    if isinstance(first, xp.ndarray):
        if first.dtype.kind in "SUO":
            raise TypeError(_REFUSAL.format(first.dtype))
        return default_collate([as_tensor(array) for array in batch])
    if isinstance(first, (xp.bool_, xp.number)):
        return as_tensor(xp.asarray(batch))
    if isinstance(first, float):
        return tensor(batch, dtype=DTYPES["float64"])
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _rebuilt(first, lambda key: default_collate([sample[key] for sample in batch]))
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = list(zip(*batch))
        return _rebuilt(first, lambda place: default_collate(columns[place]))
    raise TypeError(_REFUSAL.format(type(first)))


_REFUSAL = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)
