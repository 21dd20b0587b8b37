"""From indices to a batch."""

from __future__ import annotations

from typing import Any

from ._collate import default_collate
from .dataset import IterableDataset, Subset, TensorDataset

__all__ = ["Fetcher"]


class Fetcher:
    """Gives the batch for a list of indices (or the sample for an index, without batching).

    Of an iterable dataset, as many samples as there are indices.
    """

    def __init__(self, dataset: Any, batched: bool, collate: Any, drop_last: bool) -> None:
        self.dataset = dataset
        self.batched = batched
        self.collate = collate
        self.drop_last = drop_last
        self.iterator = iter(dataset) if isinstance(dataset, IterableDataset) else None
        self.ended = False
        self.doing = ""  # what an error is to be blamed on

    def fetch(self, index: Any) -> Any:
        """The batch.

        Raises:
            StopIteration: an iterable dataset is at its end.
        """
        if self.iterator is not None:
            return self._fetch_next(index)
        if not self.batched:
            self.doing = f"at dataset[{index!r}]"
            return self.collate(self.dataset[index])
        rows = self._rows(index)
        if rows is not None:
            return rows
        if callable(getattr(self.dataset, "__getitems__", None)):
            self.doing = f"in dataset.__getitems__({index!r})"
            samples = self.dataset.__getitems__(index)
        else:
            samples = []
            for i in index:
                self.doing = f"at dataset[{i!r}]"
                samples.append(self.dataset[i])
        self.doing = f"as the samples {index!r} were collated"
        return self.collate(samples)

    def _rows(self, index: Any) -> Any:
        """Of a plain `TensorDataset`: what collating its rows one by one would give, at once."""
        dataset = self.dataset
        if self.collate is not default_collate:
            return None
        if type(dataset) is Subset:
            dataset, indices = dataset.dataset, dataset.indices
        else:
            indices = None
        if type(dataset) is not TensorDataset or any(t.requires_grad for t in dataset.tensors):
            return None
        self.doing = f"at dataset[{index!r}]"
        wanted = list(index) if indices is None else [indices[i] for i in index]
        return [tensor[wanted] for tensor in dataset.tensors]

    def _fetch_next(self, index: Any) -> Any:
        if self.ended:
            raise StopIteration
        self.doing = "as the next sample was asked for"
        assert self.iterator is not None
        if not self.batched:
            return self.collate(next(self.iterator))
        samples = []
        for _ in index:
            try:
                samples.append(next(self.iterator))
            except StopIteration:
                self.ended = True
                break
        if not samples or (self.drop_last and len(samples) < len(index)):
            raise StopIteration
        self.doing = "as samples were collated"
        return self.collate(samples)
