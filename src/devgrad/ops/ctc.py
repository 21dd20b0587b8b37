"""Connectionist temporal classification: the loss of a sequence of labels without an alignment.

The labels are stretched by blanks between them; ``alpha[t, s]`` is the log-probability of all
alignments that are at place ``s`` of the stretched labels at time ``t``, seen from the start, and
``beta`` the same from the end. All sequences of a batch go through time together.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor, wrap
from ._along import check_tensor
from ._errors import refuse_dtype
from ._op import FUNCTIONS, Array, composite, op
from .comparison import where
from .reductions import mean_all, sum_all
from .views import reshape

__all__: list[str] = []


def _stretched(xp: Any, targets: Array, blank: int) -> Array:
    """``[N, S]`` labels as ``[N, 2 S + 1]`` with blanks around them."""
    n, length = targets.shape
    made = xp.full((n, 2 * length + 1), blank, "int64")
    made[:, 1::2] = targets
    return made


def _at_labels(xp: Any, log_probs: Array, labels: Array) -> Array:
    """``[T, N, S]``: the log-probability of each label at each time."""
    rows = xp.arange(labels.shape[0]).reshape(-1, 1)
    return log_probs[:, rows, labels]


def _sum_of_three(xp: Any, a: Array, b: Array, c: Array) -> Array:
    """The log of the sum of the exponentials of three arrays."""
    return xp.logaddexp(xp.logaddexp(a, b), c)


def _skips(xp: Any, labels: Array, blank: int) -> Array:
    """Where the blank before a label may be left out: ``[N, S - 2]``, for the places from 2 on."""
    return (labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2])


def _alphas(xp: Any, emitted: Array, labels: Array, blank: int) -> Array:
    steps, n, places = emitted.shape
    never = -xp.inf
    alphas = xp.full(emitted.shape, never, emitted.dtype)
    skips = _skips(xp, labels, blank)
    if steps:
        alphas[0, :, :2] = emitted[0, :, :2]
    # In front of the first place there are two that cannot be reached.
    before = xp.full((n, places + 2), never, emitted.dtype)
    for t in range(1, steps):
        before[:, 2:] = alphas[t - 1]
        jumped = xp.full((n, places), never, emitted.dtype)
        jumped[:, 2:] = xp.where(skips, before[:, 2:-2], never)
        alphas[t] = emitted[t] + _sum_of_three(xp, before[:, 2:], before[:, 1:-1], jumped)
    return alphas


def _betas(
    xp: Any, emitted: Array, labels: Array, blank: int, times: Array, lengths: Array
) -> Array:
    steps, n, places = emitted.shape
    never = -xp.inf
    betas = xp.full(emitted.shape, never, emitted.dtype)
    skips = _skips(xp, labels, blank)
    where_ = xp.arange(places)
    last = 2 * lengths.reshape(-1, 1)
    ends = (where_ == last) | (where_ == last - 1)
    after = xp.full((n, places + 2), never, emitted.dtype)
    for t in reversed(range(steps)):
        jumped = xp.full((n, places), never, emitted.dtype)
        jumped[:, :-2] = xp.where(skips, after[:, 2:-2], never)
        inner = _sum_of_three(xp, after[:, :-2], after[:, 1:-1], jumped)
        begins = (times == t + 1).reshape(-1, 1)
        inner = xp.where(begins, xp.where(ends, 0.0, never), inner)
        betas[t] = emitted[t] + inner
        after[:, :-2] = betas[t]
    return betas


def _negative_log(xp: Any, alphas: Array, times: Array, lengths: Array) -> Array:
    n = alphas.shape[1]
    rows = xp.arange(n)
    final = alphas[xp.maximum(times - 1, 0), rows] if len(alphas) else None
    if final is None:
        total = xp.full((n,), -xp.inf, alphas.dtype)
    else:
        on_blank = final[rows, 2 * lengths]
        on_label = final[rows, xp.maximum(2 * lengths - 1, 0)]
        total = xp.where(lengths > 0, xp.logaddexp(on_blank, on_label), on_blank)
    total = xp.where(times > 0, total, xp.where(lengths > 0, -xp.inf, 0.0))
    return -total.astype(alphas.dtype)


@op(name="_ctc_loss", node="CtcLossBackward0", outputs=("out", "alphas"), function=False,
    method=False)  # fmt: skip
def _ctc(
    xp: Any, log_probs: Array, targets: Array, times: Array, lengths: Array, blank: int,
    zero_infinity: bool,
) -> tuple[Array, Array]:  # fmt: skip
    """The loss of each sequence: ``[N]``."""
    refuse_dtype(log_probs, "iubc", "ctc_loss")
    labels = _stretched(xp, targets, blank)
    alphas = _alphas(xp, _at_labels(xp, log_probs, labels), labels, blank)
    return _negative_log(xp, alphas, times, lengths), alphas


@op(name="_ctc_loss_backward", node="CtcLossBackwardBackward0", function=False, method=False)
def _ctc_backward(
    xp: Any, grad_output: Array, log_probs: Array, targets: Array, times: Array, lengths: Array,
    losses: Array, alphas: Array, blank: int, zero_infinity: bool,
) -> Array:  # fmt: skip
    """PyTorch's gradient: the probabilities less the posterior ones of the labels.

    The first is no part of the derivative by ``log_probs``; `log_softmax`, which has to have come
    before, makes nothing of it.
    """
    labels = _stretched(xp, targets, blank)
    emitted = _at_labels(xp, log_probs, labels)
    betas = _betas(xp, emitted, labels, blank, times, lengths)
    joint = alphas + betas
    posterior = xp.exp(joint - emitted + losses.reshape(-1, 1))
    posterior = xp.where((joint == -xp.inf) & (losses.reshape(-1, 1) < xp.inf), 0.0, posterior)
    classes = xp.arange(log_probs.shape[2])
    which = (labels[:, :, None] == classes).astype(log_probs.dtype)
    of_classes = xp.matmul(posterior.swapaxes(0, 1), which).swapaxes(0, 1)
    grad = (xp.exp(log_probs) - of_classes) * grad_output.reshape(-1, 1)
    valid = xp.arange(log_probs.shape[0]).reshape(-1, 1) < times
    if zero_infinity:
        valid = valid & (losses != xp.inf)
    return xp.where(valid[:, :, None], grad, 0.0).astype(log_probs.dtype)


def _not_twice(g: Any) -> Any:
    raise RuntimeError(
        "derivative for aten::_ctc_loss_backward is not implemented: as in PyTorch, ctc_loss can "
        "be differentiated once"
    )


_ctc.vjp(
    log_probs=lambda g, log_probs, targets, times, lengths, out, alphas, blank, zero_infinity: (
        _ctc_backward(g, log_probs, targets, times, lengths, out, alphas, blank, zero_infinity)
    )
)
_ctc_backward.vjp(grad_output=_not_twice, log_probs=_not_twice)


# --- arguments ------------------------------------------------------------------------------------


def _lengths(name: str, given: Any, batch: int, most: int, what: str) -> list[int]:
    if isinstance(given, Tensor):
        if given._type.dtype.category != 1:
            raise RuntimeError(f"{name} must be integral")
        values = [int(n) for n in given._type.xp.to_host(given._array).reshape(-1)]
    else:
        values = [int(n) for n in given]
    if len(values) != batch:
        raise RuntimeError(f"{name} must be of size batch_size: {len(values)} is not {batch}")
    for n in values:
        if n < 0:
            raise RuntimeError(
                f"Expected {name} to have value at least 0, but got value {n} (while checking "
                "arguments for ctc_loss_allocate_outputs)"
            )
        if n > most:
            raise RuntimeError(
                f"Expected {name} to have value at most {most}, but got value {n} (while checking "
                "arguments for ctc_loss_allocate_outputs)"
                if what == "times"
                else f"Expected tensor to have size at least {n} at dimension 1, but got size "
                f"{most} for argument #2 'targets' (while checking arguments for "
                "ctc_loss_allocate_outputs)"
            )
    return values


def _rows(xp: Any, targets: Array, lengths: list[int], blank: int) -> Array:
    """The labels as ``[N, longest]``; what is behind the end of one is blank."""
    longest = max(lengths, default=0)
    made = xp.full((len(lengths), longest), blank, "int64")
    if targets.ndim == 2:
        mask = xp.arange(longest) < xp.asarray(lengths).reshape(-1, 1)
        made[...] = xp.where(mask, targets[:, :longest], blank)
        return made
    start = 0
    for row, n in enumerate(lengths):
        made[row, :n] = targets[start : start + n]
        start += n
    return made


def _ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int,
    reduction: str, zero_infinity: bool,
) -> Tensor:  # fmt: skip
    check_tensor("ctc_loss", log_probs)
    alone = log_probs.ndim == 2
    if log_probs.ndim not in (2, 3):
        raise RuntimeError(
            f"log_probs must be a 3D tensor (T, N, C), or 2D without N: it is {log_probs.ndim}D"
        )
    if alone:
        log_probs = reshape(log_probs, (log_probs.shape[0], 1, log_probs.shape[1]))
        if targets.ndim == 1:
            targets = reshape(targets, (1, targets.shape[0]))
        input_lengths, target_lengths = (
            reshape(x, (-1,)) if isinstance(x, Tensor) else x
            for x in (input_lengths, target_lengths)
        )
    steps, batch, classes = log_probs.shape
    if not 0 <= blank < classes:
        raise RuntimeError(f"blank must be in label range: 0 <= {blank} < {classes}")
    if targets.ndim not in (1, 2):
        raise RuntimeError(f"targets must be 1-D (concatenated) or 2-D, not {targets.ndim}-D")
    times = _lengths("input_lengths", input_lengths, batch, steps, "times")
    most = targets.shape[1] if targets.ndim == 2 else max(targets.shape[0], 0)
    if targets.ndim == 2 and targets.shape[0] != batch:
        raise RuntimeError(
            f"Expected tensor to have size {batch} at dimension 0, but got size "
            f"{targets.shape[0]} for argument #2 'targets' (while checking arguments for "
            "ctc_loss_allocate_outputs)"
        )
    if targets.ndim == 1 and not isinstance(target_lengths, Tensor):
        total = sum(int(n) for n in target_lengths)
    elif targets.ndim == 1:
        total = int(target_lengths._array.sum())
    if targets.ndim == 1 and total != most:
        raise RuntimeError(
            f"Expected tensor to have size {total} at dimension 0, but got size {most} for "
            "argument #2 'targets' (while checking arguments for ctc_loss_allocate_outputs)"
        )
    lengths = _lengths("target_lengths", target_lengths, batch, most, "lengths")
    kind = log_probs._type
    xp = kind.xp
    ints = kind.device.types[xp.dtype("int64")]

    def tensor(array: Any) -> Tensor:
        return wrap(array, ints)

    result, _ = _ctc.function(
        log_probs, tensor(_rows(xp, targets._array, lengths, blank)),
        tensor(xp.asarray(times, "int64")), tensor(xp.asarray(lengths, "int64")), blank,
        zero_infinity,
    )  # fmt: skip
    if zero_infinity:
        infinite = wrap(result._array == xp.inf, kind.device.types[xp.dtype("bool")])
        result = where.function(infinite, 0.0, result)
    if reduction == "mean":
        counts = wrap(xp.asarray([max(n, 1) for n in lengths], kind.array_dtype), kind)
        return mean_all.function(result / counts)
    if reduction == "sum":
        return sum_all.function(result)
    return reshape(result, ()) if alone else result


@composite(method=False, out=False, namespaces=("nn.functional",))
def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0,
    reduction: str = "mean", zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """How improbable the labels are, summed over all their alignments with time.

    Args:
        log_probs: ``[T, N, C]`` or ``[T, C]``: logarithms of probabilities, by `log_softmax`.
        targets: ``[N, S]``, or all labels behind one another, ``[sum(target_lengths)]``.
        input_lengths, target_lengths: how much of each sequence counts: ``[N]``.
        blank: the class that stands for no label.
        reduction: ``"none"``, ``"sum"``, or ``"mean"``: of the losses divided by the numbers of
            labels.
        zero_infinity: make the losses of labels that do not fit into the time, which are
            infinite, zero, and their gradients too.

    Raises:
        RuntimeError: shapes and lengths do not fit together; when it is differentiated twice.

    >>> import devgrad
    >>> x = devgrad.log_softmax(devgrad.zeros(4, 1, 3), 2)
    >>> devgrad.nn.functional.ctc_loss(x, devgrad.tensor([[1, 2]]), [4], [2])
    tensor(0.8432)
    """
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return _ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity
    )


def _by_number(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0,
    reduction: int = 1, zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """`nn.functional.ctc_loss`, with ``reduction`` 0 for none, 1 for the mean, 2 for the sum."""
    name = ("none", "mean", "sum")[reduction]
    return _ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, name, zero_infinity)


_by_number.__name__ = _by_number.__qualname__ = "ctc_loss"
FUNCTIONS[""]["ctc_loss"] = _by_number
