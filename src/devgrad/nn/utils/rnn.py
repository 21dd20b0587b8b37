"""Sequences of several lengths in one batch: padded, or packed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ..._creation import as_tensor
from ..._filling import arange
from ..._tensor import Tensor

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence",
    "pad_packed_sequence", "pad_sequence", "unpack_sequence", "unpad_sequence",
]  # fmt: skip


class _Packed(NamedTuple):
    data: Any
    batch_sizes: Any
    sorted_indices: Any
    unsorted_indices: Any


class PackedSequence(_Packed):
    """A batch of sequences without padding, step by step. Made by `pack_sequence` and the like.

    Attributes:
        data: ``(sum of lengths, *)``: the first elements of all sequences, then the second ...
        batch_sizes: int64, on the CPU: how many sequences have a first element, a second ...
        sorted_indices: which sequence is the longest, which the next; None if they came so.
        unsorted_indices: the other way round.
    """

    __slots__ = ()

    def __new__(
        cls, data: Any, batch_sizes: Tensor | None = None, sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:  # fmt: skip
        """Of data and batch sizes, which may come as a pair, and perhaps permutations."""
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be "
                "created manually. They should be instantiated by functions like pack_sequence "
                "and pack_padded_sequences in nn.utils.rnn."
            )
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def __repr__(self) -> str:
        parts = ", ".join(f"{n}={v!r}" for n, v in zip(self._fields, self, strict=True))
        return f"PackedSequence({parts})"

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same with its data of another dtype or on another device; see `Tensor.to`."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        indices = [
            None if x is None else x.to(data.device)
            for x in (self.sorted_indices, self.unsorted_indices)
        ]
        return type(self)(data, self.batch_sizes, *indices)

    def cuda(self, device: Any = None) -> PackedSequence:
        """The same on a GPU."""
        return self.to("cuda" if device is None else device)

    def cpu(self) -> PackedSequence:
        """The same in the host's memory."""
        return self.to("cpu")

    def double(self) -> PackedSequence:
        """The same in float64."""
        return self._with(self.data.double())

    def float(self) -> PackedSequence:
        """The same in float32."""
        return self._with(self.data.float())

    def half(self) -> PackedSequence:
        """The same in float16."""
        return self._with(self.data.half())

    def long(self) -> PackedSequence:
        """The same in int64."""
        return self._with(self.data.long())

    def int(self) -> PackedSequence:
        """The same in int32."""
        return self._with(self.data.int())

    def _with(self, data: Tensor) -> PackedSequence:
        return self if data is self.data else self._replace(data=data)

    @property
    def is_cuda(self) -> bool:
        """Whether it is on a GPU."""
        on_gpu: bool = self.data.is_cuda
        return on_gpu

    def is_pinned(self) -> bool:
        """Whether its data is in pinned memory."""
        pinned: bool = self.data.is_pinned()
        return pinned

    def pin_memory(self) -> PackedSequence:
        """The same in pinned memory."""
        return self._with(self.data.pin_memory())


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another.

    >>> import devgrad
    >>> devgrad.nn.utils.rnn.invert_permutation(devgrad.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    inverse = permutation.new_empty(permutation.shape)
    inverse[permutation] = arange(
        permutation.numel(), dtype=permutation.dtype, device=permutation.device
    )
    return inverse


def _present(lengths: list[int], steps: int, device: Any) -> Tensor:
    """``(steps, B)``: whether a sequence has an element at a step."""
    mask: Tensor = arange(steps).unsqueeze(1) < as_tensor(lengths)
    return mask.to(device)


def _check_lengths(lengths: list[int], input: Tensor, batch_first: bool) -> None:
    if not input.numel():
        raise RuntimeError("Cannot pack empty tensors.")
    batch, steps = (input.shape[0], input.shape[1])[:: 1 if batch_first else -1]
    if len(lengths) != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} "
            f"(batch_size={batch})"
        )
    if any(a < b for a, b in zip(lengths, lengths[1:], strict=False)):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You "
            "can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )
    if lengths[-1] <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if lengths[0] > steps:
        raise RuntimeError(
            f"The longest sequence has {lengths[0]} elements by `lengths`, but the input has "
            f"{steps} steps only: its shape is {list(input.shape)}, batch_first={batch_first}"
        )


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """A padded batch without its padding.

    Args:
        input: ``(T, B, *)``, or ``(B, T, *)`` if ``batch_first``.
        lengths: of the sequences, a list or a tensor on the CPU.
        enforce_sorted: they come the longest first. If not they are sorted.

    Raises:
        RuntimeError: the lengths are not sorted, not positive, too long or not as many.

    >>> import devgrad
    >>> x = devgrad.tensor([[1, 2], [3, 0]])
    >>> devgrad.nn.utils.rnn.pack_padded_sequence(x, [2, 1], batch_first=True).data
    tensor([1, 3, 2])
    """
    lengths = as_tensor(lengths, device="cpu").tolist()
    order = None
    if not enforce_sorted:
        by_length = sorted(range(len(lengths)), key=lambda i: -lengths[i])
        lengths = [lengths[i] for i in by_length]
        order = as_tensor(by_length, device=input.device)
        input = input.index_select(0 if batch_first else 1, order)
    _check_lengths(lengths, input, batch_first)
    by_step = input.transpose(0, 1) if batch_first else input
    mask = _present(lengths, lengths[0], input.device)
    data = by_step[: lengths[0]][mask]
    return PackedSequence(data, mask.sum(1).cpu(), order)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """A packed batch with padding, and the lengths; the sequences in the order they had once.

    Args:
        sequence: the packed batch.
        batch_first: give ``(B, T, *)`` instead of ``(T, B, *)``.
        padding_value: what the padding is filled with.
        total_length: T; default the length of the longest.

    Raises:
        ValueError: the longest is longer than ``total_length``.

    >>> import devgrad
    >>> from devgrad.nn.utils import rnn
    >>> packed = rnn.pack_sequence([devgrad.tensor([1, 2]), devgrad.tensor([3])])
    >>> rnn.pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    data, sizes = sequence.data, sequence.batch_sizes.tolist()
    steps = len(sizes)
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in "
                f"input, but got total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    lengths = [sum(size > i for size in sizes) for i in range(sizes[0])]
    padded = data.new_full((steps, sizes[0], *data.shape[1:]), padding_value)
    padded[_present(lengths, steps, data.device)] = data
    found = as_tensor(lengths)
    if batch_first:
        padded = padded.transpose(0, 1)
    back = sequence.unsorted_indices
    if back is not None:
        padded = padded.index_select(0 if batch_first else 1, back)
        found = found[back.cpu()]
    return padded, found


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:  # fmt: skip
    """Sequences of several lengths as one tensor, ``(T, B, *)``, or ``(B, T, *)``.

    Args:
        sequences: tensors ``(length, *)``.
        padding_value: what is added.
        padding_side: ``"right"`` or ``"left"``: where.

    Raises:
        RuntimeError: there is none, or no such side.

    >>> import devgrad
    >>> devgrad.nn.utils.rnn.pad_sequence([devgrad.ones(2), devgrad.ones(1)])
    tensor([[1., 1.],
            [1., 0.]])
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    sequences = tuple(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("right", "left"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    longest = max(x.shape[0] for x in sequences)
    shape = (longest, len(sequences), *sequences[0].shape[1:])
    if batch_first:
        shape = (shape[1], shape[0], *shape[2:])
    padded = sequences[0].new_full(shape, padding_value)
    rows = padded if batch_first else padded.transpose(0, 1)
    for i, x in enumerate(sequences):
        n = x.shape[0]
        rows[i, slice(n) if padding_side == "right" else slice(longest - n, longest)] = x
    return padded


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """The sequences of a padded batch, each of its length.

    >>> import devgrad
    >>> batch, lengths = devgrad.tensor([[1, 2], [3, 0]]), devgrad.tensor([2, 1])
    >>> devgrad.nn.utils.rnn.unpad_sequence(batch, lengths, batch_first=True)
    [tensor([1, 2]), tensor([3])]
    """
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:n] for row, n in zip(rows, as_tensor(lengths).tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences of several lengths, packed.

    Args:
        sequences: tensors ``(length, *)``.
        enforce_sorted: they come the longest first. If not they are sorted.

    >>> import devgrad
    >>> from devgrad.nn.utils import rnn
    >>> packed = rnn.pack_sequence([devgrad.tensor([1, 2]), devgrad.tensor([3])])
    >>> packed.data, packed.batch_sizes
    (tensor([1, 3, 2]), tensor([2, 1]))
    """
    lengths = [x.shape[0] for x in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a packed batch, each of its length.

    >>> import devgrad
    >>> from devgrad.nn.utils import rnn
    >>> rnn.unpack_sequence(rnn.pack_sequence([devgrad.tensor([1, 2]), devgrad.tensor([3])]))
    [tensor([1, 2]), tensor([3])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
