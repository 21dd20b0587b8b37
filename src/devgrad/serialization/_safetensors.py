"""The format: 8 bytes with the length of the header, the header in JSON, the tensors' bytes.

The header gives each tensor's dtype, shape, and its first and last place among the bytes, which
the tensors fill without gaps. Everything is little-endian.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NoReturn

from .._filling import empty
from .._tensor import Tensor, wrap
from ..device import CPU, DTYPES, DType

__all__ = ["bytes_of", "filled", "read", "widened", "write"]

_NAMES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64",
    "float16": "F16", "float32": "F32", "float64": "F64", "complex64": "C64",
}  # fmt: skip
_DTYPES = {name: DTYPES[ours] for ours, name in _NAMES.items()}
_MAX_HEADER = 100_000_000  # the format's own limit


def bytes_of(tensor: Tensor) -> Any:
    """The elements of a tensor, in order, as an array of bytes in the host's memory."""
    array = tensor.detach().cpu().contiguous()._array.reshape(-1)
    if sys.byteorder == "big":
        array = array.byteswap()
    return array.view("u1")


def filled(file: Any, shape: Any, dtype: DType, swapped: bool = sys.byteorder == "big") -> Tensor:
    """A new tensor on the CPU with the bytes that come next; ``swapped``: the wrong way round.

    Raises:
        RuntimeError: the file ends before.
    """
    tensor = empty(shape, dtype=dtype, device="cpu")
    array = tensor._array.reshape(-1)
    place, missing = memoryview(array.view("u1")), array.nbytes
    while missing:
        count = file.readinto(place[-missing:])
        if not count:
            raise RuntimeError(f"the file ends {missing} bytes before the end of its tensors")
        missing -= count
    if swapped:
        array.byteswap(inplace=True)
    return tensor


def widened(tensor: Tensor) -> Tensor:
    """The float32 numbers whose upper halves are these int16."""
    words = tensor._array.view("u2").astype("u4") << 16
    return wrap(words.view("f4"), CPU.types[DTYPES["float32"].array_dtype], [0, None])


def write(file: Any, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors, and strings beside them, to a file."""
    # Wide elements first: so each tensor begins at a multiple of its elements' size.
    order = sorted(tensors.items(), key=lambda item: -item[1].dtype.itemsize)
    places, end = {}, 0
    for name, tensor in order:
        begin, end = end, end + tensor.numel() * tensor.dtype.itemsize
        places[name] = [begin, end]
    header: dict[str, Any] = {"__metadata__": metadata}
    for name, tensor in tensors.items():
        dtype = _NAMES[tensor.dtype.name]
        header[name] = {"dtype": dtype, "shape": [*tensor.shape], "data_offsets": places[name]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > _MAX_HEADER:
        raise RuntimeError(
            f"the header would be {len(text)} bytes long, and a safetensors file's may have "
            f"{_MAX_HEADER}: there are {len(tensors)} tensors; save large lists of numbers as "
            "tensors"
        )
    file.write(len(text).to_bytes(8, "little") + text)
    for _, tensor in order:
        if tensor.numel():
            file.write(bytes_of(tensor))


def read(file: Any) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors, on the CPU, and the strings beside them.

    Raises:
        RuntimeError: something is wrong with the file. That is found out before any tensor is read.
    """
    start = file.tell()
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    header, length = _header(file, size)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        _refuse("invalid metadata", "__metadata__ is no dict of strings")
    places = {name: _checked(name, entry) for name, entry in header.items()}
    _check_cover(places, size - 8 - length)
    tensors = {}
    for name in sorted(places, key=lambda name: places[name][2]):  # in the order of the file
        dtype, shape, _, _ = places[name]
        if dtype == "BF16":
            tensors[name] = widened(filled(file, shape, DTYPES["int16"]))
        else:
            tensors[name] = filled(file, shape, _DTYPES[dtype])
    return {name: tensors[name] for name in places}, metadata


def _refuse(phrase: str, why: str) -> NoReturn:
    raise RuntimeError(
        f"Error while deserializing header: {phrase}: {why}. The file is damaged, or no "
        "safetensors file"
    )


def _header(file: Any, size: int) -> tuple[dict[str, Any], int]:
    if size < 8:
        _refuse("header too small", f"the file has {size} bytes")
    length = int.from_bytes(file.read(8), "little")
    if length > _MAX_HEADER:
        _refuse("header too large", f"its length is given as {length} bytes")
    if length > size - 8:
        _refuse("invalid header length", f"{length} bytes, in a file of {size}")
    text = file.read(length)
    if not text.startswith(b"{"):
        _refuse("invalid header start", f"it begins with {text[:1]!r}, not with '{{'")

    def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            _refuse("duplicate key", f"{twice!r} is there twice")
        return found

    try:
        header = json.loads(text.decode(), object_pairs_hook=without_duplicates)
    except UnicodeDecodeError as error:
        _refuse("invalid UTF-8 in header", str(error))
    except RecursionError:
        _refuse("invalid JSON in header", "it is nested too deeply")
    except ValueError as error:
        _refuse("invalid JSON in header", str(error))
    return header, length


def _counts(value: Any) -> bool:
    """Whether this is a list of sizes."""
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _checked(name: str, entry: Any) -> tuple[str, list[int], int, int]:
    """The dtype, shape, begin and end of a tensor."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        _refuse("invalid tensor", f"{name!r} is {entry!r}, not a dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2:
        _refuse("invalid tensor", f"{name!r} has shape {shape!r} and data_offsets {offsets!r}")
    if dtype != "BF16" and (not isinstance(dtype, str) or dtype not in _DTYPES):
        raise RuntimeError(
            f"the tensor {name!r} is of dtype {dtype!r}, which devgrad does not have; it reads "
            f"{', '.join(_DTYPES)} and BF16"
        )
    begin, end = offsets
    size = 2 if dtype == "BF16" else _DTYPES[dtype].itemsize
    for n in shape:
        size *= n
    if end - begin != size:
        _refuse(
            "invalid shape, data type, or offset for tensor",
            f"{name!r} is {dtype} of shape {shape}, {size} bytes, but from {begin} to {end}",
        )
    return dtype, shape, begin, end


def _check_cover(places: dict[str, Any], size: int) -> None:
    """Refuse tensors that overlap, leave gaps, or do not end where the file ends."""
    reached, before = 0, "the header"
    for name, (_, _, begin, end) in sorted(places.items(), key=lambda item: item[1][2:]):
        if begin != reached:
            what = "overlaps" if begin < reached else "leaves a gap after"
            _refuse("invalid offset for tensor", f"{name!r}, from {begin} to {end}, {what} "
                    f"{before}, which ends at {reached}")  # fmt: skip
        reached, before = end, repr(name)
    if reached != size:
        cut = "it was cut" if reached > size else "there is more in it"
        _refuse(
            "incomplete metadata, file not fully covered",
            f"its tensors take {reached} bytes, but {size} follow the header: {cut}",
        )
