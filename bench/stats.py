"""Medians and their spread."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """The median of some samples and the quartiles on either side of it."""

    median: float
    q1: float
    q3: float
    count: int

    @property
    def relative(self) -> float:
        """Half the interquartile range over the median; 0 where the median is 0."""
        return (self.q3 - self.q1) / 2 / abs(self.median) if self.median else 0.0


def spread(samples: Sequence[float]) -> Spread | None:
    """The spread of the samples, None when there is none."""
    if not samples:
        return None
    if len(samples) == 1:
        return Spread(samples[0], samples[0], samples[0], 1)
    q1, median, q3 = statistics.quantiles(samples, n=4, method="inclusive")
    return Spread(median, q1, q3, len(samples))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread | None:
    """The spread of ours over theirs, sample by sample.

    Samples of one round were taken within moments of each other, so that a load which comes and
    goes on the machine falls on both; the ratio of two medians would not cancel it. None when the
    numbers of samples differ or a ratio means nothing (a value of zero or below).
    """
    if len(ours) != len(theirs) or min((*ours, *theirs), default=0.0) <= 0:
        return None
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])
