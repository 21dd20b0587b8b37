"""The zip files of ``torch.save``: a pickle, ``data.pkl``, and each storage's bytes beside it."""

from __future__ import annotations

import io
import sys
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, NoReturn

from .._copying import Storage, rebuild
from .._tensor import Size, Tensor
from ..device import DTYPES, Device, DType
from ._pickle_machine import Global, refuse, run
from ._safetensors import filled, widened

__all__ = ["read", "refuse_legacy"]

_Place = Callable[[Tensor, str], Tensor]

_STORAGES = {
    "BoolStorage": "bool", "ByteStorage": "uint8", "CharStorage": "int8",
    "ShortStorage": "int16", "IntStorage": "int32", "LongStorage": "int64",
    "HalfStorage": "float16", "FloatStorage": "float32", "DoubleStorage": "float64",
    "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128",
    "BFloat16Storage": "bfloat16",
}  # fmt: skip


def refuse_legacy() -> NoReturn:
    """Tell what a file is that begins as a pickle does."""
    raise RuntimeError(
        "Invalid magic number; corrupt file? The file is a bare pickle: of PyTorch before 1.6, or "
        "of pickle itself. Such a file is not read, as that could run code. If you trust it, load "
        "it with what has written it, and save it anew"
    )


def read(file: Any, place: _Place) -> Any:
    """What PyTorch has saved, as far as it is tensors and plain containers.

    Raises:
        RuntimeError: the file is damaged.
        pickle.UnpicklingError: it asks for more than that.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return _Archive(archive, place).value()
    except zipfile.BadZipFile as error:
        raise RuntimeError(
            f"PytorchStreamReader failed reading zip archive: {error}. The file was cut, or damaged"
        ) from None


class _Archive:
    """An open file of PyTorch's."""

    def __init__(self, archive: zipfile.ZipFile, place: _Place) -> None:
        self.archive = archive
        self.place = place
        self.storages: dict[str, tuple[Storage, DType]] = {}
        names = [n for n in archive.namelist() if n.count("/") == 1 and n.endswith("/data.pkl")]
        if len(names) != 1:
            raise RuntimeError(
                "PytorchStreamReader failed locating file data.pkl: file not found. The file is a "
                "zip archive, but not one of torch.save"
            )
        self.folder = names[0].removesuffix("data.pkl")
        if f"{self.folder}constants.pkl" in archive.namelist():
            raise RuntimeError(
                "the file is a TorchScript archive, which holds a program; save the state_dict() "
                "of its module with torch.save"
            )
        self.swapped = False
        if f"{self.folder}byteorder" in archive.namelist():
            self.swapped = self.record("byteorder") != sys.byteorder.encode()

    def record(self, name: str) -> bytes:
        """The bytes of one of the files in the archive; PyTorch does not compress them."""
        info = self.archive.getinfo(self.folder + name)
        if info.compress_type != zipfile.ZIP_STORED:
            raise RuntimeError(f"{name} is compressed, which torch.save never does")
        return self.archive.read(info)

    def value(self) -> Any:
        """What was saved."""
        return run(self.record("data.pkl"), self.found, self.storage)

    # --- what the pickle may name ---------------------------------------------------------------

    def found(self, module: str, name: str) -> Any:
        """The global of this name, if it is one of the few that are known."""
        made = self.made().get(f"{module}.{name}")
        if made is not None:
            return Global(name, made)
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        if module == "torch" and name in _STORAGES:
            return Global(name, None)
        refuse(
            f"Unsupported global: GLOBAL {module}.{name} was not an allowed global by default",
            "the file asks for more than tensors and plain containers, and might run any code. If "
            "you trust it, load it in PyTorch with weights_only=False and save the state_dict()",
        )

    def made(self) -> dict[str, Callable[..., Any]]:
        """What may be called, by its dotted name."""
        return {
            "collections.OrderedDict": OrderedDict,
            "collections.Counter": Counter,
            "builtins.set": set, "__builtin__.set": set,
            "builtins.frozenset": frozenset, "__builtin__.frozenset": frozenset,
            "builtins.bytearray": bytearray, "__builtin__.bytearray": bytearray,
            "builtins.complex": complex, "__builtin__.complex": complex,
            "_codecs.encode": _encoded,
            "torch.Size": Size,
            "torch.device": Device,
            "torch._utils._rebuild_tensor_v2": self.tensor,
            "torch._utils._rebuild_parameter": self.parameter,
        }  # fmt: skip

    def storage(self, identity: Any) -> Any:
        """The storage that a persistent id names: its kind, key, device and number of elements."""
        kind, cls, key, location, count = identity
        if kind != "storage" or not isinstance(cls, Global) or cls.name not in _STORAGES:
            refuse(f"Unsupported persistent id {identity!r}", "it names no storage of a tensor")
        if key not in self.storages:
            name = _STORAGES[cls.name]
            stored = DTYPES["int16" if name == "bfloat16" else name]
            data = self.record(f"data/{key}")
            if type(count) is not int or len(data) != count * stored.itemsize:
                raise RuntimeError(
                    f"storage {key} should hold {count} elements of {name}, and has "
                    f"{len(data)} bytes: the file is damaged"
                )
            tensor = filled(io.BytesIO(data), (count,), stored, self.swapped)
            if name == "bfloat16":
                tensor = widened(tensor)
            tensor = self.place(tensor, str(location))
            self.storages[key] = Storage.of(tensor), tensor.dtype
        return Global("storage", None, self.storages[key])

    def tensor(
        self, storage: Global, offset: int, size: Any, stride: Any, requires_grad: Any,
        hooks: Any, metadata: Any = None,
    ) -> Tensor:  # fmt: skip
        """A tensor over a storage. Tensors that shared memory share it again."""
        memory, dtype = storage.content
        size, stride = tuple(size), tuple(stride)
        numbers = (offset, *size, *stride)
        last = offset + sum([(n - 1) * s for n, s in zip(size, stride)])
        if (
            len(size) != len(stride)
            or any(type(n) is not int or n < 0 for n in numbers)
            or (0 not in size and last >= memory.memory.size)
        ):
            raise RuntimeError(
                f"a tensor of size {size}, strides {stride} and offset {offset} lies outside of "
                f"its storage of {memory.memory.size} elements: the file is damaged"
            )
        if hooks or metadata:
            refuse("Tensors with hooks or metadata", "these are functions, or other objects")
        return rebuild(Tensor, memory, dtype, (size, stride, offset), bool(requires_grad), {})

    def parameter(self, data: Any, requires_grad: Any, hooks: Any) -> Tensor:
        """A parameter."""
        from ..nn.parameter import Parameter

        if not isinstance(data, Tensor) or hooks:
            refuse("Parameters with hooks", "these are functions")
        made: Tensor = Parameter(data, bool(requires_grad))
        return made


def _encoded(text: Any, encoding: Any) -> bytes:
    """How protocol 2 writes bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        refuse("Unsupported call of _codecs.encode", "bytes are written as latin1")
    return text.encode("latin1")
