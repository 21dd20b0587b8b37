"""``devgrad.save`` and ``devgrad.load``: tensors and checkpoints in files.

What is written is safetensors, which runs no code when it is read. What is read is that, and the
zip files that PyTorch's ``torch.save`` writes, as far as they hold tensors and plain containers.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any

from .._tensor import Tensor
from ..device import Device, resolve
from . import _safetensors, _structure, _torch_file
from ._atomic import replacing

__all__ = ["load", "save"]


def save(obj: Any, f: Any, pickle_module: Any = None, pickle_protocol: Any = None) -> None:
    """Write tensors, or containers of them, into a safetensors file.

    A dict of tensors, as ``model.state_dict()`` gives it, becomes the plainest of such files, which
    every library reads. Anything nested - a model's, an optimizer's and a scheduler's state, the
    random state, numbers - is written with its structure, and `load` gives it back as it was.

    The file appears whole or not at all: it is written beside its place and moved there. A process
    that is killed meanwhile leaves the file that was there before.

    Args:
        obj: tensors, numbers, strings, None, dtypes, devices, in lists, tuples, sets and dicts.
            Tensors that share memory are written each by itself.
        f: a path, or a file opened for writing in binary mode, which is written to directly.
        pickle_module, pickle_protocol: for PyTorch's signature. Nothing is pickled.

    Raises:
        TypeError: there is something else in it; nothing has been written then.
        RuntimeError: the folder is not there.

    >>> import devgrad, io
    >>> file = io.BytesIO()
    >>> devgrad.save({"step": 3, "weight": devgrad.ones(2)}, file)
    >>> _ = file.seek(0)
    >>> devgrad.load(file)
    {'step': 3, 'weight': tensor([1., 1.])}
    """
    tensors, metadata = _structure.taken_apart(obj)
    if hasattr(f, "write"):
        _safetensors.write(f, tensors, metadata)
        return
    with replacing(os.fspath(f)) as file:
        _safetensors.write(file, tensors, metadata)


def load(
    f: Any, map_location: Any = None, pickle_module: Any = None, *,
    weights_only: bool | None = None, mmap: bool | None = None,
) -> Any:  # fmt: skip
    """Read what `save` has written, any other safetensors file, or a file of ``torch.save``.

    No code from the file is run, whatever is asked for: of PyTorch's files, which are pickles,
    only tensors and plain containers are taken. bfloat16, which devgrad does not have, is read as
    float32, which holds its values exactly.

    Args:
        f: a path, or a file opened for reading in binary mode.
        map_location: where the tensors go: a device; a dict of devices' names; or a function
            of a tensor on the CPU and the name of the device that it was saved from, which returns
            a tensor, or None for that device. Default: where they were saved from.
        pickle_module, weights_only, mmap: for PyTorch's signature. ``weights_only`` always holds.

    Raises:
        RuntimeError: the file is damaged, or in no format known here.
        pickle.UnpicklingError: a file of PyTorch's holds more than tensors and plain containers.

    >>> import devgrad, io
    >>> file = io.BytesIO()
    >>> devgrad.save(devgrad.nn.Linear(2, 1).state_dict(), file)
    >>> _ = file.seek(0)
    >>> sorted(devgrad.load(file, map_location="cpu"))
    ['bias', 'weight']
    """
    if not hasattr(f, "read"):
        with open(f, "rb") as file:
            return load(file, map_location)
    if not (hasattr(f, "readinto") and hasattr(f, "seekable") and f.seekable()):
        f = io.BytesIO(f.read())
    place = _placing(map_location)
    start = f.tell()
    first = f.read(9)
    f.seek(start)
    if first[8:] != b"{":  # where a safetensors file's header begins
        if first.startswith(b"PK\x03\x04"):
            return _torch_file.read(f, place)
        if first.startswith(b"\x80"):
            _torch_file.refuse_legacy()
    tensors, metadata = _safetensors.read(f)
    return _structure.put_together(tensors, metadata, place)


def _placing(map_location: Any) -> Callable[[Tensor, str], Tensor]:
    """What brings a tensor on the CPU, saved from a device of this name, to where it belongs."""

    def saved_from(tensor: Tensor, location: str) -> Tensor:
        moved: Tensor = tensor if location == "cpu" else tensor.to(resolve(location))
        return moved

    if map_location is None:
        return saved_from
    if isinstance(map_location, dict):
        names = {str(key): str(value) for key, value in map_location.items()}
        return lambda tensor, location: saved_from(tensor, names.get(location, location))
    if callable(map_location) and not isinstance(map_location, Device):

        def chosen(tensor: Tensor, location: str) -> Tensor:
            answer = map_location(tensor, location)
            return saved_from(tensor, location) if answer is None else answer

        return chosen
    device = str(Device(map_location))
    return lambda tensor, location: saved_from(tensor, device)
