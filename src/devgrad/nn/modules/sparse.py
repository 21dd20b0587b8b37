"""Embeddings: rows of a table, and their sums."""

from __future__ import annotations

from typing import Any

from ..._creation import empty
from ..._tensor import Tensor
from ...autograd._modes import no_grad
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """What both have in common: the table, one row of which may stay zero."""

    _out_of_range: str

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None,
        max_norm: float | None, norm_type: float, scale_grad_by_freq: bool, sparse: bool,
        weight: Tensor | None, freeze: bool, device: Any, dtype: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < max(num_embeddings, 1):
                raise AssertionError(f"{self._out_of_range} must be within num_embeddings")
            padding_idx = padding_idx + num_embeddings if padding_idx < 0 else padding_idx
        self.padding_idx = padding_idx
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        if weight is None:
            table = empty(num_embeddings, embedding_dim, device=device, dtype=dtype)
            self.weight = Parameter(table, requires_grad=not freeze)
            self.reset_parameters()
            return
        if tuple(weight.shape) != (num_embeddings, embedding_dim):
            raise AssertionError("Shape of weight does not match num_embeddings and embedding_dim")
        self.weight = Parameter(weight, requires_grad=not freeze)

    def reset_parameters(self) -> None:
        """Draw the table anew, from the normal distribution."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)


class Embedding(_Table):
    """A table of vectors: the row for each index.

    Args:
        num_embeddings: the number of rows. embedding_dim: their length.
        padding_idx: a row that is zero at first and not learnt.
        max_norm: rows that are looked up are first scaled down to this norm, in place.
        norm_type: which norm.
        scale_grad_by_freq: divide the gradient of a row by how often it is looked up.
        sparse: taken, but gradients are dense.
        device, dtype: of the table.

    Shape:
        ``(*)``, integers, to ``(*, embedding_dim)``.

    Attributes:
        weight: ``(num_embeddings, embedding_dim)``, at first normally distributed.

    Raises:
        AssertionError: there is no such row for padding.

    >>> import devgrad
    >>> devgrad.nn.Embedding(10, 3)(devgrad.tensor([[1, 2], [4, 5]])).shape
    torch.Size([2, 2, 3])
    """

    _out_of_range = "Padding_idx"

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
        max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
        sparse: bool = False, _weight: Tensor | None = None, _freeze: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type,
                         scale_grad_by_freq, sparse, _weight, _freeze, device, dtype)  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        """The rows."""
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type,
            self.scale_grad_by_freq, self.sparse,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """The sizes, and the options that are not the usual ones."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        for name in ("padding_idx", "max_norm"):
            if getattr(self, name) is not None:
                text += f", {name}={getattr(self, name)}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq is not False:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        return text if self.sparse is False else f"{text}, sparse=True"

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None,
        max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:  # fmt: skip
        """An embedding with the table ``embeddings``, which is learnt only if not ``freeze``.

        Raises:
            AssertionError: it has not two dimensions.

        >>> import devgrad
        >>> devgrad.nn.Embedding.from_pretrained(devgrad.eye(2))(devgrad.tensor(1))
        tensor([0., 1.])
        """
        _check_table(embeddings)
        rows, columns = embeddings.shape
        return cls(rows, columns, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse,
                   embeddings, freeze)  # fmt: skip


class EmbeddingBag(_Table):
    """The sums, means or largest elements of bags of rows of a table.

    Args:
        num_embeddings: the number of rows. embedding_dim: their length.
        max_norm: rows that are looked up are first scaled down to this norm, in place.
        norm_type: which norm.
        scale_grad_by_freq: divide the gradient of a row by how often it is looked up.
        mode: ``"sum"``, ``"mean"`` or ``"max"``.
        sparse: taken, but gradients are dense.
        include_last_offset: ``offsets`` has the end of the last bag too.
        padding_idx: a row that does not count.
        device, dtype: of the table.

    Attributes:
        weight: ``(num_embeddings, embedding_dim)``, at first normally distributed.

    Raises:
        AssertionError: there is no such row for padding.

    >>> import devgrad
    >>> bags = devgrad.nn.EmbeddingBag.from_pretrained(devgrad.eye(3), mode="sum")
    >>> bags(devgrad.tensor([0, 1, 2]), devgrad.tensor([0, 2]))
    tensor([[1., 1., 0.],
            [0., 0., 1.]])
    """

    _out_of_range = "padding_idx"

    def __init__(
        self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean",
        sparse: bool = False, _weight: Tensor | None = None, include_last_offset: bool = False,
        padding_idx: int | None = None, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type,
                         scale_grad_by_freq, sparse, _weight, False, device, dtype)  # fmt: skip
        self.mode = mode
        self.include_last_offset = include_last_offset

    def forward(
        self, input: Tensor, offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """A row for each bag.

        Args:
            input: ``(B, N)``, a bag in each row; or ``(N,)``, with
            offsets: ``(B,)``, where each bag begins.
            per_sample_weights: of the shape of ``input``: what the rows are multiplied by.
        """
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq,
            self.mode, self.sparse, per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """The sizes, and the options that are not the usual ones."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm!r}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type!r}"
        if self.scale_grad_by_freq is not False:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq!r}"
        text += f", mode={self.mode!r}"
        return text if self.padding_idx is None else f"{text}, padding_idx={self.padding_idx!r}"

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean",
        sparse: bool = False, include_last_offset: bool = False, padding_idx: int | None = None,
    ) -> EmbeddingBag:  # fmt: skip
        """Bags of the table ``embeddings``, which is learnt only if not ``freeze``.

        Raises:
            AssertionError: it has not two dimensions.
        """
        _check_table(embeddings)
        rows, columns = embeddings.shape
        bags = cls(rows, columns, max_norm, norm_type, scale_grad_by_freq, mode, sparse,
                   embeddings, include_last_offset, padding_idx)  # fmt: skip
        bags.weight.requires_grad = not freeze
        return bags


def _check_table(embeddings: Tensor) -> None:
    if embeddings.ndim != 2:
        raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
