"""The Fisher-Yates shuffle of ``randperm``, without a loop over the elements.

PyTorch swaps position ``i`` with a random later position, for one ``i`` after the other. Each swap
moves the value at position ``i`` to its target, for good or until a later swap takes it from
there. So what a swap finds at its target was put there by the last swap before it with the same
target; and what that one put there is what it found at its own position, put there by the last
swap before it that had *this* position as its target; and so on, down to a position that no swap
had touched. Sorting the swaps by target finds every such predecessor at once, and following
the chains by doubling takes about ``log2(log n)`` steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._exact_math import Array

_LOOP_BELOW = 512  # below, a plain loop is faster


def shuffle(targets: Array) -> Array:
    """The identity of ``len(targets) + 1`` elements after swapping each ``i`` with ``targets[i]``.

    ``targets`` are integers with ``i <= targets[i] <= len(targets)``. Returns int64.

    Example:
        >>> shuffle(np.array([2, 2, 3]))
        array([2, 0, 3, 1])
    """
    if targets.size < _LOOP_BELOW:
        values = list(range(targets.size + 1))
        for i, target in enumerate(targets.tolist()):
            values[i], values[target] = values[target], values[i]
        return np.array(values, np.int64)
    return _shuffle_by_sorting(targets)


def shuffle_backward(targets: Array) -> Array:
    """The identity of ``len(targets)`` elements after swapping each ``i`` with ``targets[i]``.

    Here ``0 <= targets[i] <= i``: the form that PyTorch takes for 2**32 / 20 elements and more.

    Example:
        >>> shuffle_backward(np.array([0, 0, 1]))
        array([1, 2, 0])
    """
    # The same swaps in the opposite order give the inverse, and counted from the far end
    # they are of the forward kind.
    last = targets.size - 1
    inverse = last - shuffle((last - targets)[:0:-1])[::-1]
    result = np.empty_like(inverse)
    result[inverse] = np.arange(inverse.size)
    return result


def _shuffle_by_sorting(targets: Array) -> Array:
    swaps = targets.size
    index_type: type[np.signedinteger[Any]] = np.int32 if swaps < 2**31 - 1 else np.int64
    shift = np.uint64(swaps.bit_length())
    order = np.arange(swaps, dtype=np.uint64)
    keys = targets.astype(np.uint64)
    keys <<= shift
    keys |= order
    keys.sort()
    swap: Array = np.bitwise_and(keys, (np.uint64(1) << shift) - np.uint64(1), out=order)
    swap = swap.astype(index_type)
    keys >>= shift
    target: Array = keys.astype(index_type)

    # before[k]: the last swap before swap[k] with the same target; -1, all bits set, if none.
    follows = np.zeros(swaps, index_type)
    np.equal(target[1:], target[:-1], out=follows[1:])
    follows -= 1
    before: Array = follows.copy()
    before[1:] |= swap[:-1]

    # origin[i]: the last swap that had position i as its target, i if there is none. (If that is
    # swap i itself no later swap will ask.) Of the assignments to one element the last stands, and
    # they come in order.
    origin: Array = np.arange(swaps + 1, dtype=index_type)
    origin[target] = swap
    farther = np.empty_like(origin)
    while True:
        np.take(origin, origin, out=farther, mode="clip")
        if np.array_equal(farther, origin):
            break
        origin, farther = farther, origin

    found = origin[before]  # and where no swap came before, the target itself:
    found ^= (found ^ target) & follows
    result = np.empty(swaps + 1, np.int64)
    result[swap] = found
    result[-1] = origin[-1]
    return result
